/** `increp work`: a worker on any machine that reaches the control database. */
import { asIncrepError, IncrepError } from '../errors.ts';
import { pipelineCommand } from './service/pipeline-command.ts';
import { withService, type ServiceOptions } from './service/with-service.ts';

export interface WorkCommandOptions extends ServiceOptions {
  /** Set by `serve` for its own worker. */
  readonly endsWithStdin: boolean;
}

export async function workCommand(_words: readonly string[], options: WorkCommandOptions): Promise<number> {
  const signal = options.endsWithStdin ? untilEnd(options) : options.signal;
  return withService('work', { ...options, signal }, async ({ root, control, queue, log }) => {
    const { ensureCurrent, findVersions } = await import('../serve/install.ts');
    const { work } = await import('../serve/worker.ts');
    ensureCurrent(await findVersions(control));
    await queue.start();
    const { environment, timing, jobs: capacity, drain: drainSeconds } = options;
    const command = pipelineCommand(options.terminal);
    await work({ control, queue, root, environment, capacity, drainSeconds, timing, signal, log, command });
    log.info(`stopped: ${asIncrepError(signal.reason).message}`);
    return 0;
  });
}

/** Also aborts if the process that started this one is gone. */
function untilEnd({ signal, terminal }: WorkCommandOptions): AbortSignal {
  const gone = new AbortController();
  const { input } = terminal.dialogue;
  const end = () =>
    gone.abort(
      new IncrepError('INTERRUPTED', {
        what: 'increp serve has ended',
        next: 'Start it again.',
        exitCode: 143,
      }),
    );
  input.on('end', end).on('error', end).resume();
  return AbortSignal.any([signal, gone.signal]);
}
