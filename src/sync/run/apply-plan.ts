/** One table's destination transaction, from the lock to the commit, and the state file after it. */
import type pg from 'pg';
import { addOwnColumns } from '../write/add-metadata-columns.ts';
import { adoptTable } from '../load/adopt.ts';
import { asIncrepError, IncrepError } from '../../errors.ts';
import type { StateRecord } from '../../schema/state-record.ts';
import { tableCommand } from '../../shell-word.ts';
import { readGeneration, writeState } from '../../sql/state.ts';
import { forgetLoad } from '../../sql/loads.ts';
import type { Loaded } from '../load/chunks/chunked-load.ts';
import { loadInChunks } from '../load/chunks/load-in-chunks.ts';
import { oneGoWarning, withKept, type Progress, type Stopped } from '../load/chunks/progress.ts';
import type { TableFacts } from '../facts/facts.ts';
import { isUnchanged } from '../load/source-unchanged.ts';
import type { UnchangedCheck } from '../plan/unchanged-check.ts';
import type { RaisedFence } from '../fence/fence.ts';
import { fenceFor } from '../fence/planned-fence.ts';
import { syncChanges } from '../incremental/incremental.ts';
import { loadTable } from '../load/load.ts';
import { addMissingLabels, createMissingTypes } from '../write/create-types.ts';
import { isKeyedPlan, type IncrementalPlan, type LoadPlan, type RefreshPlan } from '../plan/plan.ts';
import { leaveFormerName } from './renamed-state.ts';
import { publicationsOver } from '../write/publications.ts';
import { holdTable, lockingStatements, lockTable } from '../lock/table-lock.ts';
import { fenceWarnings, nextRecord } from '../fence/next-state.ts';
import type { RunContext } from '../context/run-context.ts';
import { type Transfer, NOTHING_MOVED } from '../write/transfer.ts';

export interface ApplyRequest {
  /** How long to wait for another run of the same table. */
  readonly waitLockSeconds: number;
  /** Removes any share of a table. */
  readonly isForced: boolean;
  /** Compares what was copied with its source before it is committed. */
  readonly isVerified: boolean;
}

export interface Applied {
  readonly transfer: Transfer;
  readonly record: StateRecord;
  /** Where nothing was read, because the source is what it was at that time (RFC 3339). */
  readonly unchangedSince: string | undefined;
}

export async function applyPlan(
  context: RunContext,
  planned: TableFacts,
  plan: IncrementalPlan | LoadPlan,
  request: ApplyRequest,
): Promise<Applied | Stopped> {
  let done: Applied | undefined;
  let isStopped = false;
  const progress: Progress = { done: 0, of: 0 };
  await addMissingLabels(context, planned);
  const table = planned.settings.name;
  await context.emit({ type: 'phase-started', table, phase: 'lock' });
  const patience = {
    timing: context.timing,
    waitSeconds: request.waitLockSeconds,
    atMostSeconds: context.timeLimit.remainingSeconds,
    signal: context.signal,
    onWait: (waitsFor: string) => {
      context.group?.leave();
      return context.emit({ type: 'phase-started', table, phase: 'lock', waitsFor });
    },
  };
  const facts = staysInPlace(plan) ? await addOwnColumns(context, planned, patience) : planned;
  try {
    await context.destination.withWriting(lockingStatements(facts), async (destination, transaction) => {
      await holdTable(destination, facts, transaction.answers, patience);
      await leaveFormerName(destination, facts);
      done = await underLock(context, facts, plan, destination, { ...request, progress });
      if (done) transaction.lastly(writeState(facts.stateName, done.record));
      else isStopped = true;
    });
  } catch (error) {
    // The commit may have succeeded although its reply was lost: the row it wrote says so.
    if (!done || !(await hasCommitted(context, facts, done.record, error)))
      throw withKept(error, progress, againFor(facts, plan));
  }
  if (isStopped) return { stopped: progress, goesOn: againFor(facts, plan) };
  if (!done) throw new Error('a transaction ended without a result');
  await keep(context, facts, done.record);
  return done;
}

/** Whether the destination table is filled as it is, rather than made, exchanged or altered. */
const staysInPlace = (plan: IncrementalPlan | LoadPlan): boolean =>
  plan.kind === 'incremental' || plan.way === 'merge-whole' || plan.way === 'extend';

/** Undefined where the time limit has stopped it. */
async function underLock(
  context: RunContext,
  facts: TableFacts,
  plan: IncrementalPlan | LoadPlan,
  destination: pg.ClientBase,
  request: ApplyRequest & { readonly progress: Progress },
): Promise<Applied | undefined> {
  const table = facts.settings.name;
  await context.emit({ type: 'phase-started', table, phase: 'fence' });
  const loaded =
    (await inChunks(context, facts, plan, destination, request)) ??
    (await atOnce(context, facts, plan, destination, request));
  if (loaded === 'stopped') return undefined;
  const { moved, record, fence, unchangedSince } = loaded;
  await context.emit({ type: 'phase-started', table, phase: 'commit' });
  const warnings = isKeyedPlan(plan) ? fenceWarnings(facts, fence) : [];
  return { transfer: { ...moved, warnings: [...moved.warnings, ...warnings] }, record, unchangedSince };
}

/** Undefined where the table goes at once. */
async function inChunks(
  context: RunContext,
  facts: TableFacts,
  plan: IncrementalPlan | LoadPlan,
  destination: pg.ClientBase,
  { isVerified, isForced, progress }: ApplyRequest & { readonly progress: Progress },
): Promise<Loaded | 'stopped' | undefined> {
  if (plan.kind !== 'load' || !isKeyedPlan(plan) || !plan.chunks || (await whyAtOnce(facts, destination)))
    return undefined;
  // Each destination has chunks of its own, of which some may be there already.
  context.group?.leave();
  return loadInChunks({
    context,
    facts,
    plan,
    chunks: plan.chunks,
    destination,
    isVerified,
    isForced,
    progress,
  });
}

/** Of those that read the table together one raises it, and all have the same mark. */
async function sharedFence(
  context: RunContext,
  facts: TableFacts,
  plan: IncrementalPlan | LoadPlan,
): Promise<{ readonly fence: RaisedFence; readonly here: RunContext }> {
  const { target, raise } = fenceFor(facts, plan);
  const { moment, ...later } = context;
  const known = moment?.fences.get(target) as RaisedFence | undefined;
  if (known) return { fence: known, here: context };
  const { group } = later;
  const fence = await (group ? group.fence(target, () => raise(later)) : raise(later));
  return { fence, here: later };
}

async function atOnce(
  given: RunContext,
  facts: TableFacts,
  plan: IncrementalPlan | LoadPlan,
  destination: pg.ClientBase,
  { isForced, isVerified }: ApplyRequest,
): Promise<Loaded> {
  const { schema, table } = facts.stateName;
  // Its staging table is about to be used for something else.
  if (facts.pendingLoad) await destination.query(forgetLoad(schema), [table]);
  if (plan.kind === 'load' || plan.evolution) await createMissingTypes(destination, facts);
  const { fence, here: context } = await sharedFence(given, facts, plan);
  if (plan.kind === 'load' && !isKeyedPlan(plan) && plan.probe && !isVerified) {
    if (await isUnchanged(context, facts, plan, plan.probe, fence))
      return unchanged(context, facts, plan, plan.probe, fence);
  }
  const moved =
    plan.kind === 'incremental'
      ? await syncChanges({ context, facts, plan, fence, destination, isForced, isVerified })
      : plan.adopts
        ? await adoptTable({ context, facts, plan, destination, isVerified, isForced })
        : await loadTable({ context, facts, plan, destination, isVerified, isForced });
  const why = await whyAtOnce(facts, destination);
  return {
    moved: { ...moved, warnings: [...moved.warnings, ...markWarning(facts, plan, why)] },
    record: nextRecord(context, facts, plan, fence, moved),
    fence,
  };
}

/** The copy is as good as if it had been loaded now. */
const unchanged = (
  context: RunContext,
  facts: TableFacts,
  plan: RefreshPlan,
  { known }: UnchangedCheck,
  fence: RaisedFence,
): Loaded => ({
  moved: { ...NOTHING_MOVED, contents: known },
  record: { ...nextRecord(context, facts, plan, fence, NOTHING_MOVED), contents: known },
  fence,
  unchangedSince: known.readAt,
});

/** Chunks were planned, and the fence had no mark to tell early rows from late ones. */
const markWarning = (
  { settings }: TableFacts,
  plan: IncrementalPlan | LoadPlan,
  why: string | undefined,
): string[] =>
  plan.kind === 'load' && plan.chunks
    ? [oneGoWarning(why ?? `no row has a plausible ${settings.replicationKey}, which the chunks begin with`)]
    : [];

/** The staging table of a load in chunks outlives a crash of the server, so that it is logged, and would be published. */
async function whyAtOnce(
  { destinationName: { schema }, settings, servers }: TableFacts,
  destination: pg.ClientBase,
): Promise<string | undefined> {
  if (!settings.chunk) return undefined;
  const [name] = await publicationsOver(destination, schema, servers.destination.version);
  return name === undefined
    ? undefined
    : `the publication "${name}" of the destination would send the staging table to its subscribers`;
}

/** Under the lock, which the lost backend holds until its commit is through or rolled back. */
async function hasCommitted(
  context: RunContext,
  facts: TableFacts,
  record: StateRecord,
  error: unknown,
): Promise<boolean> {
  if (asIncrepError(error).code !== 'CONNECTION_LOST') return false;
  return context.destination.withWriting([], async (client) => {
    const { timing, signal } = context;
    await lockTable(client, facts, { waitSeconds: timing.ownLockWait, timing, signal });
    const { rows } = await client.query<{ generation: string; runId: string }>(
      readGeneration(facts.stateName),
    );
    return rows[0]?.generation === String(record.generation) && rows[0].runId === record.runId;
  });
}

/** After the commit. What fails here costs nothing but a warning next time: the row in the destination counts. */
async function keep(context: RunContext, facts: TableFacts, record: StateRecord): Promise<void> {
  const { stateFile, settings, copyName } = facts;
  await context.emit({ type: 'phase-started', table: settings.name, phase: 'save-state' });
  try {
    if (stateFile.kind === 'unreadable') await context.stateFiles.setAside(stateFile.path);
    await context.stateFiles.write(copyName, record);
  } catch (error) {
    if (!(error instanceof IncrepError)) throw error;
    await context.emit({
      type: 'warning',
      table: settings.name,
      message: `${error.message}; the destination holds the state`,
    });
  }
}

/** A plain sync of a table that has a copy is none of a whole table, and forgets what a full refresh has begun. */
const againFor = ({ settings: { name } }: TableFacts, { action }: IncrementalPlan | LoadPlan): string =>
  action === 'full-refresh' ? `"${tableCommand('sync', name, '--full-refresh')}"` : 'The next run';
