/** What `serve` and `work` have in common: settings, the control database, the queue and the log. */
import { join, resolve } from 'node:path';
import { readServiceSettings } from '../../config/service/control-database.ts';
import { findPipelines } from '../../config/service/pipeline-directories.ts';
import type { ControlDatabase } from '../../postgres/control-database.ts';
import { redactor } from '../../redact.ts';
import type { Queue } from '../../serve/queue.ts';
import type { ServiceLog } from '../../serve/service-log.ts';
import { withoutSecrets } from '../../pipeline/context.ts';
import type { GlobalOptions } from '../terminal/options.ts';

export interface ServiceOptions extends GlobalOptions {
  /** The directory of the pipelines. */
  readonly pipelines: string;
  /** The directory for the state files of pipelines without a directory. Empty means the usual one. */
  readonly stateDir: string;
  /** Tables that a worker syncs at the same time. */
  readonly jobs: number;
  /** Seconds. */
  readonly drain: number;
}

interface ServiceParts {
  /** Absolute, like `stateRoot`. */
  readonly root: string;
  readonly stateRoot: string;
  readonly control: ControlDatabase;
  readonly queue: Queue;
  readonly log: ServiceLog;
  readonly hookKey: string | undefined;
}

/** Below --pipelines. A name with a dot is no pipeline. */
const STATE_ROOT = '.increp';

/** Of `serve`, or for chores and the claims of a few hands of `work`. */
const CONNECTIONS = 5;

export async function withService(
  program: 'serve' | 'work',
  options: ServiceOptions,
  use: (service: ServiceParts) => Promise<number>,
): Promise<number> {
  const { workingDirectory, environment, terminal, timing } = options;
  const root = resolve(workingDirectory, options.pipelines);
  const stateRoot = resolve(workingDirectory, options.stateDir || join(root, STATE_ROOT));
  await findPipelines(root);
  const settings = await readServiceSettings(root, environment);
  const redact = redactor(settings.secrets);
  const { ControlDatabase, asControlError } = await import('../../postgres/control-database.ts');
  const { openQueue } = await import('../../serve/queue.ts');
  const { serviceLog } = await import('../../serve/service-log.ts');
  const connections = program === 'work' ? CONNECTIONS + options.jobs : CONNECTIONS;
  await using control = new ControlDatabase(settings.control, { program, connections, timing });
  const log = await serviceLog({
    ...{ settings, program, redact, endpoint: control.endpoint, say: terminal.say },
    ...{ isTerminal: terminal.isStderrTerminal, color: terminal.sayStyle.color },
  });
  for (const message of settings.warnings) log.warn(message);
  await using queue = await openQueue(
    { control, timing: timing.serve, onError: log.outage },
    program === 'serve',
  );
  try {
    return await use({ root, stateRoot, control, queue, log, hookKey: settings.hookKey });
  } catch (error) {
    throw withoutSecrets(asControlError(error, control.endpoint), redact);
  }
}
