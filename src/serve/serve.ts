/** `increp serve`: it watches the pipelines, runs their schedules and answers probes. Its worker is a process of its own. */
import { asIncrepError, IncrepError } from '../errors.ts';
import type { ControlDatabase } from '../postgres/control-database.ts';
import { PREVIEWS } from '../sql/control/claims.ts';
import { PRUNE } from '../sql/control/runs.ts';
import type { Timing } from '../timing.ts';
import { listTokens } from './actions/tokens.ts';
import { createControl, ensureNotNewer, findVersions } from './install.ts';
import { keepDoing } from './keep-doing.ts';
import { knownPipelines } from './known-pipelines.ts';
import type { Queue } from './queue.ts';
import { sayDirectory } from './say-directory.ts';
import type { ServiceLog } from './service-log.ts';
import { runDueSchedules } from './trigger.ts';
import { watchControl } from './watch-control.ts';
import { servicePage } from './page/page.ts';
import { createApp } from './web/create-app.ts';
import { openDoor, type ServiceDoor } from './web/door.ts';
import type { ListenAddress } from './web/listen-address.ts';

export interface ServeOptions {
  readonly control: ControlDatabase;
  readonly queue: Queue;
  readonly root: string;
  readonly listen: ListenAddress;
  readonly hookKey: string | undefined;
  readonly timing: Timing;
  readonly signal: AbortSignal;
  readonly log: ServiceLog;
  /** Keeps a worker process alive until the signal. Undefined if workers run elsewhere. */
  readonly keepWorker: (() => Promise<void>) | undefined;
}

const HOUR = 3600;

/** Resolves after the signal. @throws IncrepError if it cannot start */
export async function serve(options: ServeOptions): Promise<void> {
  const { control, queue, root, timing, signal, log } = options;
  ensureNotNewer(await findVersions(control));
  await control.transaction(createControl);
  await queue.start();
  await queue.ensure(PREVIEWS);
  const pipelines = knownPipelines({ root, control, queue, timing, log });
  const refused = new Set<string>();
  const refresh = async () => {
    for (const name of await pipelines.refresh())
      if (!refused.has(name)) {
        refused.add(name);
        log.warn(
          `the directory "${name}" is no pipeline of the service: use only letters, digits, ".", "-" and "_"`,
        );
      }
  };
  const { isLoopback, own: address } = options.listen;
  if (!isLoopback) await ensureToken(control);
  const parts = {
    control,
    queue,
    timing,
    address,
    isLoopback,
    hookKey: options.hookKey,
    signal,
    onError: log.outage,
  };
  const app = createApp(parts, servicePage());
  // The door comes first: a serve whose port is in use must not register or remove pipelines.
  await using door = await openDoor(options.listen, app);
  await sayDirectory(root, log);
  await refresh();
  log.info(`listening on ${door.url}`);
  if (!(await hasToken(control)))
    log.info('the page and the API ask for a token; to make one, run "increp token create --role operate"');
  const repeat = (everySeconds: number, work: () => Promise<unknown>) =>
    keepDoing({ everySeconds, signal, work, onError: log.outage });
  await Promise.all([
    repeat(timing.serve.configPoll, refresh),
    repeat(timing.serve.schedulePoll, async () => {
      // The rest comes at once, without a pause.
      while ((await runDueSchedules(control, queue)) > 0) log.recovered();
      log.recovered();
    }),
    repeat(timing.serve.monitor, () => watchControl({ control, queue, timing, log })),
    repeat(timing.serve.configPoll, renewals(options, door)),
    repeat(HOUR, () => prune(control)),
    options.keepWorker?.(),
  ]);
}

/** A program renews certificates every few weeks. Until both of its files are written, the former certificate serves. */
function renewals({ listen, log }: ServeOptions, door: ServiceDoor): () => Promise<void> {
  let problem: string | undefined;
  return async () => {
    try {
      const renewed = await listen.renewTls();
      problem = undefined;
      if (!renewed) return;
      door.useCertificate(renewed);
      log.info('the certificate was renewed');
    } catch (error) {
      const { message } = asIncrepError(error);
      if (message !== problem) log.warn(`the former certificate stays in use: ${message}`);
      problem = message;
    }
  };
}

const hasToken = async (control: ControlDatabase): Promise<boolean> =>
  (await listTokens(control)).some(({ hasExpired }) => !hasExpired);

/** Other machines may reach the service. @throws IncrepError CONFIG_INVALID */
async function ensureToken(control: ControlDatabase): Promise<void> {
  if (await hasToken(control)) return;
  throw new IncrepError('CONFIG_INVALID', {
    what: 'other machines would reach the service, but there is no token yet',
    next: 'Make one: "increp token create --role operate". Then start the service again.',
  });
}

async function prune(control: ControlDatabase): Promise<void> {
  for (const statement of PRUNE) await control.query(statement);
}
