/** `increp work`: a worker on any machine that reaches the control database. */
import { asIncrepError } from '../errors.ts';
import { pipelineCommand } from './service/pipeline-command.ts';
import { untilEnd } from './service/until-end.ts';
import { withService, type ServiceOptions } from './service/with-service.ts';

export interface WorkCommandOptions extends ServiceOptions {
  /** Set by the program that starts the worker, for its own end. */
  readonly endsWithStdin: boolean;
}

export async function workCommand(_words: readonly string[], options: WorkCommandOptions): Promise<number> {
  const { signal, hurry } = options.endsWithStdin
    ? untilEnd(options)
    : { signal: options.signal, hurry: undefined };
  return withService('work', { ...options, signal }, async ({ root, stateRoot, control, queue, log }) => {
    const { ensureCurrent, findVersions } = await import('../serve/install.ts');
    const { sayDirectory } = await import('../serve/say-directory.ts');
    const { work } = await import('../serve/worker.ts');
    ensureCurrent(await findVersions(control));
    await queue.start();
    // `serve`, which starts a worker of its own, says it itself.
    if (!options.endsWithStdin) await sayDirectory(root, log);
    const { environment, timing, jobs: capacity, drain: drainSeconds } = options;
    const command = pipelineCommand(options.terminal);
    const place = { root, environment, stateRoot };
    await work({ control, queue, place, capacity, drainSeconds, timing, signal, hurry, log, command });
    log.info(`the worker has ended: ${asIncrepError(signal.reason).message}`);
    return 0;
  });
}
