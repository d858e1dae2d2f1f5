/** Carries out the plan of one table: the destination transaction, from the lock to the commit, and then the state file. */
import type pg from 'pg';
import { addMetadataColumns } from '../write/add-metadata-columns.ts';
import { adoptTable } from '../load/adopt.ts';
import { asIncrepError, IncrepError } from '../../errors.ts';
import { STATE_FILE_RENAMED, type StateRecord } from '../../schema/state-record.ts';
import { tableCommand } from '../../shell-word.ts';
import { readGeneration, writeState, forgetState } from '../../sql/state.ts';
import { forgetLoad } from '../../sql/loads.ts';
import {
  type ChunkedLoad,
  type ChunkedResult,
  type Loaded,
  type ChunkProgress,
  type Stopped,
  noChunks,
  withKeptChunks,
} from '../load/chunks/chunked-load.ts';
import { loadInChunks } from '../load/chunks/load-in-chunks.ts';
import type { TableJob } from '../plan/table-job.ts';
import { Replan, type PlanChange } from '../plan/replan.ts';
import type { WholeLoadCause } from '../../reasons.ts';
import { wholeLoadText } from '../../report/reasons.ts';
import type { TableFacts } from '../facts/facts.ts';
import { isUnchanged } from '../load/source-unchanged.ts';
import type { UnchangedCheck } from '../plan/unchanged-check.ts';
import type { RaisedFence } from '../fence/fence.ts';
import { fenceFor, raise } from '../fence/planned-fence.ts';
import { syncChanges } from '../incremental/incremental.ts';
import { loadTable } from '../load/load.ts';
import { addMissingLabels, createMissingTypes, createTypesAhead } from '../write/create-types.ts';
import { isKeyedPlan, type IncrementalPlan, type LoadPlan, type RefreshPlan } from '../plan/plan.ts';
import { publicationsOver } from '../write/publications.ts';
import { holdTable, lockingStatements, lockTable } from '../lock/table-lock.ts';
import { fenceWarnings, nextRecord } from '../fence/next-state.ts';
import type { RunContext } from '../context/run-context.ts';
import { discardedLoad } from '../plan/complete-plan.ts';
import { type TableTransfer, NOTHING_MOVED } from '../write/table-transfer.ts';
import { enterPhase } from '../context/phases.ts';
import { describeRelations } from '../../postgres/catalog.ts';
import { stagingName } from '../../schema/names.ts';
import { stagingQuestion } from '../write/staging.ts';
import { dropTable, stagingMark } from '../../sql/destination.ts';
import type { Statement } from '../../sql/search-path.ts';

export interface ApplyRequest
  extends Pick<TableJob, 'isForced' | 'isVerified'>, Pick<ChunkedLoad, 'loadBefore'> {
  /** How long to wait for another run of the same table. */
  readonly waitLockSeconds: number;
  /** The command of this run, if a sync without its flags does less. Undefined otherwise. */
  readonly repeatCommand?: string | undefined;
  /** Shared by the attempts of a run. */
  readonly progress?: ChunkProgress | undefined;
  /** The application names of earlier runs of the table that were lost. */
  readonly lostPrograms?: readonly string[] | undefined;
}

export interface Applied {
  readonly kind: 'applied';
  readonly transfer: TableTransfer;
  readonly record: StateRecord;
  /** Set if nothing was read, because the source has not changed since that time (RFC 3339). */
  readonly unchangedSince: string | undefined;
}

export type ApplyResult =
  | Applied
  /** The time limit ended a load in chunks after a chunk. */
  | { readonly kind: 'stopped'; readonly progress: ChunkProgress; readonly nextCommand: string | undefined }
  /** Nothing was changed. `error` says why increp could not carry out the plan. */
  | { readonly kind: 'replan'; readonly change: PlanChange; readonly error: IncrepError };

/** @throws IncrepError; then only the finished chunks of a load are kept */
export async function applyPlan(
  context: RunContext,
  planned: TableFacts,
  plan: IncrementalPlan | LoadPlan,
  request: ApplyRequest,
): Promise<ApplyResult> {
  let result: Applied | Stopped | undefined;
  const progress = Object.assign(request.progress ?? noChunks(), { done: 0, of: 0 });
  await addMissingLabels(context, planned);
  if (plan.kind === 'load' || plan.evolution) await createTypesAhead(context, planned);
  await enterPhase(context, planned, 'lock');
  const lockWait = {
    timing: context.timing,
    waitSeconds: request.waitLockSeconds,
    atMostSeconds: context.timeLimit.remainingSeconds,
    signal: context.signal,
    startedAt: context.startedAt,
    lostPrograms: request.lostPrograms,
    onWait: (waitsFor: string) => {
      context.group?.leave();
      return enterPhase(context, planned, 'lock', { waitsFor });
    },
  };
  const facts = staysInPlace(plan) ? await addMetadataColumns(context, planned, lockWait) : planned;
  const { isForced, isVerified, loadBefore } = request;
  const listed = listEarly(context, facts, plan);
  // The question locks the staging table. The sessions of a load in chunks drop it.
  const questions = plan.kind === 'incremental' ? stagingQuestion(facts) : [];
  let hasBegun = false;
  const inTransaction = (alsoAsked: readonly Statement[]) =>
    context.destination.withWriting(
      [...lockingStatements(facts, context), ...alsoAsked],
      async (destination, transaction) => {
        hasBegun = true;
        const staging = alsoAsked.length === 0 ? undefined : transaction.answers.at(-1);
        const isHeldAtOnce = await holdTable(destination, facts, transaction, lockWait);
        const early = isHeldAtOnce ? { listed, staging } : undefined;
        await removeFormerName(destination, facts);
        const job = { context, facts, plan, destination, isForced, isVerified, early, loadBefore };
        result = await underLock(job, progress);
        if (result.kind === 'applied') transaction.lastly(writeState(facts.stateName, result.record));
      },
    );
  try {
    await inTransaction(questions).catch((error: unknown) => {
      // The staging table is locked, usually by another run. Without the question, the lock of the table shows that.
      const isQuestion = !hasBegun && questions.length > 0 && asIncrepError(error).code === 'LOCK_TIMEOUT';
      return isQuestion ? inTransaction([]) : Promise.reject(error);
    });
  } catch (error) {
    // The connection to the source is used by one caller at a time.
    await listed?.catch(() => undefined);
    if (error instanceof Replan) return { kind: 'replan', change: error.change, error };
    // The commit may have succeeded although its reply was lost. The state row then has this generation and run ID.
    if (result?.kind !== 'applied' || !(await hasCommitted(context, facts, result.record, error)))
      throw withKeptChunks(
        error,
        progress,
        // The other tables of the run do not need this load again.
        continuingCommand(facts, plan, isInterruption(error) ? request.repeatCommand : undefined),
        facts,
      );
  }
  if (!result) throw new Error('a transaction ended without a result');
  if (result.kind === 'stopped')
    return { ...result, progress, nextCommand: continuingCommand(facts, plan, request.repeatCommand) };
  const { transfer } = result;
  const unsaved = await saveState(context, facts, result.record);
  return { ...result, transfer: { ...transfer, warnings: [...transfer.warnings, ...unsaved] } };
}

/** Whether the plan keeps the destination table, rather than creating, exchanging or altering it. */
const staysInPlace = (plan: IncrementalPlan | LoadPlan): boolean =>
  plan.kind === 'incremental' || plan.way === 'merge-whole' || plan.way === 'extend';

/** What was asked together with the lock. Undefined if another run had the lock: its sync may have changed the answers. */
interface LockedJob extends TableJob, Pick<ChunkedLoad, 'loadBefore'> {
  readonly early:
    | { readonly listed: Promise<RaisedFence> | undefined; readonly staging: pg.QueryResult | undefined }
    | undefined;
}

/**
 * The first two steps of the fence, at the same time as the lock of the table. A fence that is older than the lock is
 * valid: it is younger than the saved state, and the state is unchanged since then. Undefined if the plan needs
 * no fence now, or shares it.
 */
function listEarly(
  context: RunContext,
  facts: TableFacts,
  plan: IncrementalPlan | LoadPlan,
): Promise<RaisedFence> | undefined {
  const isLater = plan.kind === 'load' && isKeyedPlan(plan) && plan.chunking.kind === 'chunks';
  if (isLater || context.group || context.fencedSnapshot) return undefined;
  const listed = fenceFor(facts, plan).list(context);
  // It is awaited after the lock. Until then, the error has no other handler.
  listed.catch(() => undefined);
  return listed;
}

async function underLock(job: LockedJob, progress: ChunkProgress): Promise<Applied | Stopped> {
  const { context, facts, plan } = job;
  await enterPhase(context, facts, 'fence');
  const chunked = await inChunks(job, progress);
  if (chunked.kind === 'stopped') return chunked;
  const loaded = chunked.kind === 'loaded' ? chunked : await asAWhole(job, chunked.cause);
  const { transfer, record, fence, unchangedSince } = loaded;
  await enterPhase(context, facts, 'commit');
  const warnings = isKeyedPlan(plan) ? fenceWarnings(facts, fence) : [];
  return {
    kind: 'applied',
    transfer: { ...transfer, warnings: [...transfer.warnings, ...warnings] },
    record,
    unchangedSince,
  };
}

async function inChunks(job: LockedJob, progress: ChunkProgress): Promise<ChunkedResult> {
  const { context, facts, plan, destination } = job;
  if (plan.kind !== 'load' || !isKeyedPlan(plan) || plan.chunking.kind !== 'chunks')
    return { kind: 'as-a-whole', cause: undefined };
  const publication = await publicationOfStaging(facts, destination);
  if (publication !== undefined)
    return { kind: 'as-a-whole', cause: { code: 'staging-would-be-published', publication } };
  // Each destination has its own chunks, and some of them may be done already.
  context.group?.leave();
  return loadInChunks({ ...job, plan, chunks: plan.chunking, progress });
}

/** If several destinations read the table together, one of them raises the fence and all use the same mark. */
async function sharedFence({
  context,
  facts,
  plan,
  early,
}: LockedJob): Promise<{ readonly fence: RaisedFence; readonly here: RunContext }> {
  const planned = fenceFor(facts, plan);
  const { fencedSnapshot, ...later } = context;
  const known = fencedSnapshot?.fences.get(planned.target) as RaisedFence | undefined;
  if (known) return { fence: known, here: context };
  const { group } = later;
  const fence = group
    ? await group.fence(planned.target, () => raise(later, planned))
    : early?.listed
      ? await planned.settle(later, await early.listed)
      : await raise(later, planned);
  return { fence, here: later };
}

/** @param cause why the table is not loaded in chunks although the plan said so */
async function asAWhole(given: LockedJob, cause: WholeLoadCause | undefined): Promise<Loaded> {
  const { facts, plan, destination, isVerified } = given;
  const { schema, table } = facts.stateName;
  // This sync uses the staging table of the interrupted load, so that load cannot be resumed.
  if (facts.pendingLoad) await destination.query(forgetLoad(schema), [table]);
  if (plan.kind === 'load' || plan.evolution) await createMissingTypes(destination, facts);
  const { fence, here: context } = await sharedFence(given);
  const job = { ...given, context };
  if (plan.kind === 'load' && !isKeyedPlan(plan) && plan.unchangedCheck && !isVerified) {
    const refresh = { ...job, plan };
    if (await isUnchanged(refresh, plan.unchangedCheck))
      return unchanged(refresh, plan.unchangedCheck, fence);
  }
  const moved =
    plan.kind === 'incremental'
      ? await syncChanges({ ...job, plan, fence, staging: given.early?.staging })
      : plan.adoption === 'compare'
        ? await adoptTable({ ...job, plan })
        : await loadTable({ ...job, plan });
  const warnings = [
    ...moved.warnings,
    ...(cause ? [wholeLoadText(cause)] : []),
    ...discardedLoad(facts, plan, true),
  ];
  return { transfer: { ...moved, warnings }, record: nextRecord(job, fence, moved), fence };
}

/** The destination table already has the rows that a load would read now. */
const unchanged = (job: TableJob<RefreshPlan>, { known }: UnchangedCheck, fence: RaisedFence): Loaded => ({
  transfer: { ...NOTHING_MOVED, contents: known },
  record: { ...nextRecord(job, fence, NOTHING_MOVED), contents: known },
  fence,
  unchangedSince: known.readAt,
});

/** The staging table of a load in chunks is logged, because it must survive a crash of the server. A publication would include it. */
async function publicationOfStaging(
  { destinationName: { schema }, servers }: TableFacts,
  destination: pg.ClientBase,
): Promise<string | undefined> {
  const [name] = await publicationsOver(destination, schema, servers.destination.version);
  return name;
}

/** Takes the lock of the table first: the lost session holds it until its commit or rollback is complete. */
async function hasCommitted(
  context: RunContext,
  facts: TableFacts,
  record: StateRecord,
  error: unknown,
): Promise<boolean> {
  if (asIncrepError(error).code !== 'CONNECTION_LOST') return false;
  return context.destination.withWriting([], async (client) => {
    await lockTable(client, facts, { ...context, waitSeconds: context.timing.ownLockWait });
    const { rows } = await client.query<{ generation: string; runId: string }>(
      readGeneration(facts.stateName),
    );
    return rows[0]?.generation === String(record.generation) && rows[0].runId === record.runId;
  });
}

/** Runs after the commit. A failure is only a warning, because the state row in the destination takes precedence. */
async function saveState(context: RunContext, facts: TableFacts, record: StateRecord): Promise<string[]> {
  const { stateFile, recordName } = facts;
  await enterPhase(context, facts, 'save-state');
  try {
    const aside =
      stateFile.kind === 'unreadable' ? await context.stateFiles.setAside(stateFile.path) : undefined;
    await context.stateFiles.write(recordName, record);
    return aside === undefined
      ? []
      : [`${STATE_FILE_RENAMED} ${aside}, and this sync has written a new one. No action is needed`];
  } catch (error) {
    if (!(error instanceof IncrepError)) throw error;
    return [`${error.message}; the state in the destination is used instead. ${error.next}`];
  }
}

const isInterruption = (error: unknown): boolean => asIncrepError(error).code === 'INTERRUPTED';

/**
 * The command that continues an interrupted load; undefined if every run does. A plain `sync` does not continue a full refresh. @param repeatCommand
 * the command of the run, which also refreshes the tables that the run did not start
 */
const continuingCommand = (
  { settings: { name } }: TableFacts,
  { action }: IncrementalPlan | LoadPlan,
  repeatCommand = tableCommand('sync', name, '--full-refresh'),
): string | undefined => (action === 'full-refresh' ? repeatCommand : undefined);

/** Removes the state under its former name, in the transaction that writes it under the new name. */
async function removeFormerName(client: pg.ClientBase, facts: TableFacts): Promise<void> {
  const { formerStateName: name, stateName, settings } = facts;
  if (name === undefined) return;
  const { schema } = stateName;
  await client.query(forgetState(schema), [name]);
  const table = stagingName(name);
  const staging = (await describeRelations(client, schema, [table])).get(table);
  if (staging?.comment === stagingMark(settings.destinationTable))
    await client.query(dropTable(staging.name));
}
