/** `increp serve`: schedules, probes and a worker, for every pipeline below one directory. */
import { resolve } from 'node:path';
import { asIncrepError } from '../errors.ts';
import { untilEnd } from './service/until-end.ts';
import { withService, type ServiceOptions } from './service/with-service.ts';
import { sqlFor } from './service/print-sql.ts';

export interface ServeCommandOptions extends ServiceOptions {
  readonly listen: string;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly publicUrl: string | undefined;
  readonly printSql: boolean;
  /** False for --no-worker. */
  readonly worker: boolean;
  /** Set by the program that starts the service, for its own end. */
  readonly endsWithStdin: boolean;
}

/** The worker writes to a pipe, and its log stands between the lines of this process. */
const likeOwn = ({ environment, terminal }: ServeCommandOptions): ServeCommandOptions['environment'] =>
  terminal.isStderrTerminal && !environment['LOG_FORMAT']
    ? { ...environment, LOG_FORMAT: 'pretty' }
    : environment;

export async function serveCommand(_words: readonly string[], options: ServeCommandOptions): Promise<number> {
  const { terminal } = options;
  const { signal } = options.endsWithStdin ? untilEnd(options) : options;
  if (options.printSql) {
    terminal.out(await sqlFor(options));
    return 0;
  }
  const { readListenAddress } = await import('../serve/web/listen-address.ts');
  const inDirectory = (path: string | undefined) => path && resolve(options.workingDirectory, path);
  const listen = await readListenAddress({
    ...{ listen: options.listen, publicUrl: options.publicUrl },
    ...{ tlsCert: inDirectory(options.tlsCert), tlsKey: inDirectory(options.tlsKey) },
  });
  return withService('serve', { ...options, signal }, async ({ root, stateRoot, ...service }) => {
    const { serve } = await import('../serve/serve.ts');
    const { keepWorker } = await import('../serve/child-worker.ts');
    const places = ['--pipelines', root, '--state-dir', stateRoot];
    const args = [...places, '--jobs', String(options.jobs), '--drain', `${options.drain}s`];
    const child = {
      ...{ args, signal, say: terminal.say, log: service.log, timing: options.timing.serve },
      ...{ environment: likeOwn(options), workingDirectory: options.workingDirectory },
    };
    await serve({
      ...{ ...service, root, listen, signal, timing: options.timing },
      keepWorker: options.worker ? () => keepWorker(child) : undefined,
    });
    service.log.info(`increp serve has ended: ${asIncrepError(signal.reason).message}`);
    return 0;
  });
}
