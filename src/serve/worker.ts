/** A worker: it takes jobs from the queue as long as it has room, and syncs their tables. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { connectionsIn } from '../config/service/connections.ts';
import { asIncrepError, IncrepError } from '../errors.ts';
import type { ControlDatabase } from '../postgres/control-database.ts';
import { errorToJson } from '../report/summary-json.ts';
import { RECORD_EVENT } from '../sql/control/claims.ts';
import { DESCRIBE_PIPELINE } from '../sql/control/records.ts';
import { SAVE_WORKER } from '../sql/control/runs.ts';
import type { Redact } from '../redact.ts';
import type { Timing } from '../timing.ts';
import { version } from '../version.ts';
import { claimJob, type ClaimedJob } from './claim.ts';
import { holdJob } from './hold-job.ts';
import { keepDoing, pause } from './keep-doing.ts';
import type { ServiceLog } from './service-log.ts';
import { definedPipelines } from './defined-pipelines.ts';
import {
  ownPipelines,
  readDefinition,
  type OwnPipeline,
  type OwnPipelines,
  type WorkerPlace,
} from './own-pipelines.ts';
import type { Queue } from './queue.ts';
import { listTables } from './records.ts';
import { lookAt, syncTable } from './run-job.ts';
import {
  giveBack,
  markSuperseded,
  settleCancelled,
  settleCommand,
  settleLook,
  settleTable,
  type CommandResult,
  type JobEnd,
} from './settle.ts';
import type { CommandKind } from './trigger.ts';
import { watchControl } from './watch-control.ts';

interface WorkerOptions {
  readonly control: ControlDatabase;
  readonly queue: Queue;
  readonly place: WorkerPlace;
  /** Tables that this worker syncs at the same time. */
  readonly capacity: number;
  readonly drainSeconds: number;
  readonly timing: Timing;
  /** Aborts when the worker must stop. */
  readonly signal: AbortSignal;
  /** Aborts when syncs that may still finish must stop, too. */
  readonly hurry: AbortSignal | undefined;
  readonly log: ServiceLog;
  /** Runs a command of increp on a pipeline. */
  readonly command: RunCommand;
}

export interface CommandOrder {
  readonly command: CommandKind;
  readonly pipeline: OwnPipeline;
  /** Null means all tables. */
  readonly tables: readonly string[] | null;
  readonly timing: Timing;
  readonly signal: AbortSignal;
}

export type RunCommand = (order: CommandOrder) => Promise<CommandResult>;

/** Resolves after the signal, when every job has been finished or given back. */
export async function work(options: WorkerOptions): Promise<void> {
  const { control, queue, timing, signal, log } = options;
  const worker = {
    ...options,
    id: randomUUID(),
    read: ownPipelines(options.place, definedPipelines(control)),
  };
  let own: OwnPipelines = await worker.read();
  const described = new Set<OwnPipeline>();
  const state = () => (signal.aborted ? 'stopping' : 'working');
  sayPipelines(log, undefined, own);
  await saveWorker(worker, state(), own);
  await describePipelines(control, described, own);
  const refresh = async () => {
    const before = own;
    own = await worker.read();
    sayPipelines(log, before, own);
    await saveWorker(worker, state(), own);
    await describePipelines(control, described, own);
    return own;
  };
  const stop = new AbortController();
  const onError = (error: unknown) => log.outage(error);
  const repeat = (everySeconds: number, task: () => Promise<unknown>) =>
    keepDoing({ everySeconds, signal, work: task, onError });
  const active = new Set<ClaimedJob>();
  const hand = { ...worker, active, stop: stop.signal, own: { now: () => own, refresh } };
  const hands = Array.from({ length: options.capacity }, () => repeatClaims(hand));
  const chores = [
    repeat(timing.serve.configPoll, refresh),
    repeat(timing.serve.monitor, () => watchControl({ control, queue, timing, log })),
  ];
  const draining = drain(options, stop, active);
  await Promise.all([...hands, ...chores]);
  stop.abort();
  await draining;
  await saveWorker(worker, 'stopped', own).catch(() => undefined);
}

interface CurrentPipelines {
  readonly now: () => OwnPipelines;
  /** Reads what has changed. */
  readonly refresh: () => Promise<OwnPipelines>;
}

type ActiveWorker = WorkerOptions & { readonly id: string };

/** Does one job at a time. */
interface Hand extends ActiveWorker {
  /** The jobs of all hands. */
  readonly active: Set<ClaimedJob>;
  /** Aborts when the time to finish is over. */
  readonly stop: AbortSignal;
  readonly own: CurrentPipelines;
}

/** After the signal, syncs may finish for a while. Then they are rolled back. */
async function drain(
  { signal, hurry, drainSeconds, log }: WorkerOptions,
  stop: AbortController,
  active: ReadonlySet<ClaimedJob>,
): Promise<void> {
  if (!signal.aborted)
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      stop.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  if (active.size > 0 && drainSeconds > 0)
    log.draining(asIncrepError(signal.reason), active.size, drainSeconds);
  await pause(drainSeconds, AbortSignal.any([stop.signal, ...(hurry ? [hurry] : [])]));
  stop.abort(
    new IncrepError('INTERRUPTED', {
      what: 'the worker was stopped',
      next: 'Unfinished work was rolled back. Another worker syncs the table.',
    }),
  );
}

async function repeatClaims(hand: Hand): Promise<void> {
  const { control, queue, id, timing, signal, log, own, active } = hand;
  while (!signal.aborted) {
    try {
      const { serves } = own.now();
      const claimant = {
        worker: id,
        pipelines: [...serves.keys()],
        connections: connectionsIn(hand.place.environment),
        programOf: (pipeline: string) => serves.get(pipeline)?.program ?? '',
      };
      const { claim, lost } = await claimJob(control, queue, claimant);
      lost.forEach(log.lost);
      log.recovered();
      if (!claim) {
        await pause(timing.serve.claimPoll, signal);
        continue;
      }
      active.add(claim);
      await doJob(hand, claim).finally(() => active.delete(claim));
    } catch (error) {
      log.outage(error);
      await pause(timing.serve.claimPoll, signal);
    }
  }
}

async function doJob(hand: Hand, claim: ClaimedJob): Promise<void> {
  const { control, queue, timing, log, stop, own } = hand;
  const held = holdJob(claim, { control, queue, timing: timing.serve, stop, onError: log.outage });
  let settle: () => Promise<JobEnd>;
  try {
    const { signal, listener } = held;
    const warn = (message: string) => log.warn(message, { pipeline: claim.pipeline });
    const openLogger = (redact: Redact) => held.log.openLogger(redact);
    const place = async () => ({
      ...{ pipeline: await pipelineOf(claim, own), timing, signal, listener, warn, openLogger },
    });
    if (claim.kind === 'look') {
      const result = await lookAt(await place(), claim);
      signal.throwIfAborted();
      log.looked(claim, result);
      settle = () => settleLook(control, queue, claim, result);
    } else if (claim.kind === 'command') {
      const result = await runCommand(hand, claim, own, signal);
      signal.throwIfAborted();
      log.commanded(claim, result);
      settle = () => settleCommand(control, queue, claim, result);
    } else {
      const { summary, isGone } = await syncTable(await place(), claim);
      // A sync that was stopped has not ended, whatever its summary says.
      if (summary.error?.code === 'INTERRUPTED') signal.throwIfAborted();
      log.synced(claim, summary);
      const { progress } = held;
      settle = () => settleTable(control, queue, claim, { summary, isGone, progress });
    }
  } catch (error) {
    settle = held.isCancelled
      ? () => settleCancelled(control, queue, claim)
      : () => (held.isLost ? supersede(hand, claim) : failed(hand, claim, error));
  }
  try {
    const settled = await untilAnswered(hand, claim, settle);
    if (settled === 'superseded') await supersede(hand, claim);
  } finally {
    await held[Symbol.asyncDispose]();
  }
}

/** A definition may have changed since this worker has read it. A job that was claimed after the change follows the new one. */
async function pipelineOf(
  { pipeline: name, version: claimed }: ClaimedJob,
  own: CurrentPipelines,
): Promise<OwnPipeline> {
  const { serves, lacks } = own.now().serves.get(name)?.version === claimed ? own.now() : await own.refresh();
  const found = serves.get(name);
  if (found) return found;
  throw new IncrepError('CONFIG_INVALID', {
    what: `this worker cannot use pipeline ${name}: ${lacks.get(name) ?? 'it is gone'}`,
    next: 'Set its connections on a worker.',
  });
}

/** A preview has a definition of its own. */
async function runCommand(
  worker: ActiveWorker,
  claim: Extract<ClaimedJob, { kind: 'command' }>,
  own: CurrentPipelines,
  signal: AbortSignal,
): Promise<CommandResult> {
  const { command, tables, definition, pipeline: name } = claim;
  const pipeline = definition
    ? await readDefinition({ name, version: null, definition }, worker.place)
    : await pipelineOf(claim, own);
  if (typeof pipeline !== 'string')
    return worker.command({ command, tables, pipeline, timing: worker.timing, signal });
  const next = 'Fix the variables of the connection on the worker.';
  const error = errorToJson(new IncrepError('CONFIG_INVALID', { what: pipeline, next }));
  return { isOk: false, document: null, error };
}

/** The configuration of the pipeline may have become wrong since it was read, or the worker must stop. */
async function failed(
  { control, queue, log, timing, signal, stop }: Hand,
  claim: ClaimedJob,
  error: unknown,
): Promise<JobEnd> {
  if (stop.aborted) log.returned(claim);
  else {
    log.failed(claim, asIncrepError(error));
    // Without the wait, the same worker would take the job again at once.
    await pause(timing.serve.claimPoll, signal);
  }
  return giveBack(control, queue, claim);
}

/** The control database may be away for a minute. The result waits, and no new job begins here. */
async function untilAnswered(
  { timing, log, signal }: ActiveWorker,
  claim: ClaimedJob,
  settle: () => Promise<JobEnd>,
): Promise<JobEnd> {
  const deadline = performance.now() + timing.serve.heartbeat * 10_000;
  for (;;) {
    try {
      return await settle();
    } catch (error) {
      log.outage(error);
      // A worker that must stop does not wait: the queue gives the table to another worker.
      if (signal.aborted || performance.now() > deadline) throw error;
      await pause(timing.serve.claimPoll, signal);
    }
  }
}

async function supersede({ control, log, id }: ActiveWorker, claim: ClaimedJob): Promise<JobEnd> {
  log.superseded(claim);
  await markSuperseded(control, claim);
  const table = claim.kind === 'table' ? claim.table : null;
  await control.query(RECORD_EVENT, [
    ...['warn', 'superseded', claim.pipeline, table, claim.attempt, id],
    {},
  ]);
  return 'done';
}

async function saveWorker(
  { control, id, capacity, place }: ActiveWorker,
  state: 'working' | 'stopping' | 'stopped',
  { serves, lacks }: OwnPipelines,
): Promise<void> {
  await control.query(SAVE_WORKER, [
    ...[id, hostname(), process.pid, version(), capacity, state],
    ...[[...serves.keys()], Object.fromEntries(lacks), connectionsIn(place.environment)],
  ]);
}

/** For the page: what a pipeline is, also before its first sync. */
async function describePipelines(
  control: ControlDatabase,
  described: Set<OwnPipeline>,
  { serves }: OwnPipelines,
): Promise<void> {
  for (const [name, pipeline] of serves) {
    if (described.has(pipeline)) continue;
    // One transaction: a request that names tables relies on both.
    await control.transaction(async (session) => {
      const { rowCount } = await session.query(DESCRIBE_PIPELINE, [name, pipeline.description]);
      if (rowCount !== 1) return;
      await listTables(session, name, pipeline.listing);
      described.add(pipeline);
    });
  }
  for (const pipeline of described) if (serves.get(pipeline.name) !== pipeline) described.delete(pipeline);
}

/** Each change once. */
function sayPipelines(log: ServiceLog, before: OwnPipelines | undefined, now: OwnPipelines): void {
  for (const [name, why] of now.lacks)
    if (before?.lacks.get(name) !== why)
      log.warn(`this worker cannot sync the pipeline and leaves it to others: ${why}`, { pipeline: name });
  for (const [name, { listing }] of now.serves)
    if (!before?.serves.has(name)) {
      const unscheduled = listing.schedules.length === 0 ? '; its configuration has no "schedule"' : '';
      log.info(`this worker serves the pipeline${unscheduled}`, { pipeline: name });
    }
}
