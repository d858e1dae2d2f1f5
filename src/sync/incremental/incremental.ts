/** Reads the changes since the cursor into the staging table and merges them. */
import type pg from 'pg';
import type { Copied } from '../../postgres/copy-pipe.ts';
import { reworded, type IncrepError } from '../../errors.ts';
import { ifRight } from '../../format.ts';
import { rowsFrom } from '../../schema/selection.ts';
import { tableCommand } from '../../shell-word.ts';
import { addConflicts } from '../../conflicts.ts';
import { compareMore } from '../compare/compare-more.ts';
import { holdDestination, holdInMessage } from '../write/destination-lock.ts';
import { isAmong, windowCondition, type Window } from '../../sql/window.ts';
import { alterDestination, finishEvolution } from './evolve.ts';
import { readFill, verifyFilled, type Evolving, type Fill } from './backfill.ts';
import { logPosition } from '../facts/deletion-log.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { RaisedFence } from '../fence/fence.ts';
import { ensureMetadataColumns } from '../write/metadata-columns.ts';
import { ensureKeyIndex } from '../write/merge-key-index.ts';
import {
  dropOlderVersions,
  mergeOf,
  NO_COUNTS,
  type MergeCounts,
  type Share,
} from '../write/merge-staging.ts';
import { mergeAtOnce, mergeInto, type Merging } from '../write/merge-into.ts';
import { nullKeysAtSource } from '../write/null-keys.ts';
import type { Reason } from '../../reasons.ts';
import { reasonText } from '../../report/reasons.ts';
import { partitionsGone } from '../plan/build-plan.ts';
import type { IncrementalPlan } from '../plan/plan.ts';
import type { TableJob } from '../plan/table-job.ts';
import { readWindow } from '../read/read-window.ts';
import { removeDeleted, type Removal, type Removing } from './remove-deleted.ts';
import { removeLogged, type LoggedRemoval } from './remove-logged.ts';
import { emptyStaging, freeStaging } from '../write/staging.ts';
import { clockShiftSince, comparisonDue, eventsSince, wentBack } from '../fence/next-state.ts';
import { verifyCopied, type CopiedComparison } from '../compare/verify-copied.ts';
import { isShared, rowKey } from '../../schema/row-identity.ts';
import { windowChoice } from '../fence/window-choice.ts';
import { untakenWarning } from '../write/untaken-rows.ts';
import { takenOver } from '../write/violations.ts';
import { type TableTransfer, countsOf, olderWarning } from '../write/table-transfer.ts';
import { enterPhase } from '../context/phases.ts';

interface Changes extends TableJob<IncrementalPlan> {
  readonly fence: RaisedFence;
  /** The answer to `stagingQuestion`, if it was asked under the lock. */
  readonly staging: pg.QueryResult | undefined;
}

export async function syncChanges(changes: Changes): Promise<TableTransfer> {
  const { context, facts, plan, fence, destination, isVerified } = changes;
  await ensureMetadataColumns(destination, facts);
  const comparesToo = comparesMore(changes);
  const readsLog = facts.settings.deletionLog !== undefined;
  const isCompared =
    plan.removesDeleted || isVerified || comparesToo || readsLog || plan.evolution !== undefined;
  const { copied, warnings, fill, merged, removal, logged } = await readWindow(
    {
      ...{ context, facts, plan, destination, isCompared },
      prepare: () => emptyStaging(destination, facts, plan.source.columns, changes.staging),
      onCopy: () => enterPhase(context, facts, 'copy'),
    },
    windowChoice(facts, plan, fence, { mustRead: isVerified || comparesToo }),
    (source, rows, window) => withinSnapshot(changes, source, rows, window),
  );
  const { counts, older, evolved, fetched, compared } = merged ?? (await mergeWindow(changes, copied, fill));
  const untaken = copied.rows === 0 ? [] : await untakenWarning(destination, facts, plan.source);
  await freeStaging(destination, facts.stagingName, copied.bytes);
  const back = wentBack(facts, plan, fence.high);
  // Otherwise a comparison removes the rows that are gone, or the settings keep them.
  const lost = partitionsGone(facts);
  const isAlarm = facts.settings.deletes === 'ignore';
  const alarms = isAlarm ? [...back, ...lost] : [];
  const { single, repeated } = eventsSince(facts, plan, fence);
  const eventWarnings = {
    single,
    repeated: [...alarms.map((reason) => reasonText([reason])), ...repeated],
  };
  // Rows that leave at the top of a queue are no news, unless the source was restored.
  const standing = isAlarm ? [...(single.length > 0 ? back : []), ...lost] : [];
  return {
    loader: undefined,
    reasons: [
      ...plan.reasons.map((reason) => (evolved ? withFilledRows(reason, evolved.filledRows) : reason)),
      ...(isAlarm ? [] : back),
    ],
    rowsRead: copied.rows + fetched,
    ...(compared !== undefined && { rowsCompared: compared }),
    bytes: copied.bytes + (fill?.copied.bytes ?? 0),
    warnings: [
      ...warnings,
      ...(evolved?.warnings ?? []),
      ...untaken,
      ...olderWarning(older, facts.settings),
      ...missingWarning(facts, removal?.missing ?? 0),
      ...legacyWarning(plan),
      ...eventWarnings.repeated,
      ...eventWarnings.single,
    ],
    eventWarnings,
    ...countsOf(
      { ...counts, deleted: (logged?.deleted ?? 0) + (removal?.deleted ?? 0) },
      copied.rows + fetched - older,
    ),
    ...(standing.length > 0 && { lostRows: reasonText(standing) }),
    areDeletesDone: removal !== undefined && removal.refusal === undefined,
    readLog:
      logged && !logged.refusal && (logged.isComplete || (removal && !removal.refusal)) ? logged : undefined,
    refusal: removal?.refusal ?? logged?.refusal,
  };
}

/** The reason of a change in place, completed with the number of rows that got values. */
const withFilledRows = (reason: Reason, filledRows: number): Reason =>
  reason.code === 'drift' && reason.answer.kind !== 'reset'
    ? { ...reason, answer: { ...reason.answer, filledRows } }
    : reason;

/** The work that was done before the snapshot of the source ended. */
interface CopiedChanges {
  readonly copied: Copied;
  readonly warnings: readonly string[];
  /** Values for columns that the destination table lacks. */
  readonly fill?: Fill | undefined;
  readonly merged?: Merged;
  readonly removal?: Removal;
  readonly logged?: LoggedRemoval | undefined;
}

/** The steps that compare both sides in the snapshot of the window. The merge must come before the comparison. */
async function withinSnapshot(
  changes: Changes,
  source: pg.ClientBase,
  copied: Copied,
  read: Window,
): Promise<CopiedChanges> {
  const { context, facts, plan, destination, isVerified } = changes;
  const evolving = evolvingOf(changes);
  const fill = evolving && (await readFill(evolving, source));
  const held = { database: context.source, holder: source };
  const warnings = await nullKeysAtSource(held, facts, plan.source);
  const sides = { context, facts, relation: plan.source, source, destination };
  const logged = await removeByLog(changes, sides);
  const comparesKeys = plan.removesDeleted || logged?.isComplete === false;
  if (!comparesKeys && !isVerified && !comparesMore(changes)) return { copied, warnings, fill, logged };
  const early = plan.removesFirst ? await remove(changes, sides) : undefined;
  if (early?.refusal) throw nothingSynced(facts, early.refusal);
  const ofWindow = await mergeWindow(changes, copied, fill);
  if (isVerified) {
    await verifyCopied({ ...sides, table: facts.destinationName, ...scopeOf(facts, read) });
    if (evolving && fill) await verifyFilled(evolving, source, fill);
  }
  const merged = await comparedToo(changes, source, ofWindow, read);
  if (!comparesKeys) return { copied, warnings, fill, merged, logged };
  // An early removal runs before the merge, so the rows of the window count as missing there.
  const removal = early ? { ...early, missing: 0 } : await remove(changes, sides);
  return { copied, warnings, fill, merged, removal, logged };
}

/** Before the merge, because a new row may take over a unique value of a deleted one. Undefined without a log. */
async function removeByLog(
  { context, facts, plan, fence, isForced }: Changes,
  sides: Omit<Removing, 'isForced'>,
): Promise<LoggedRemoval | undefined> {
  const { deletionLog: log, lookbackSeconds } = facts.settings;
  if (!log) return undefined;
  const position = logPosition(facts, facts.settings);
  const from = position?.from ?? fence.sourceTime;
  await enterPhase(context, facts, 'deletes');
  const { seconds } = clockShiftSince(facts, plan, fence);
  return removeLogged({
    ...sides,
    log,
    position,
    from,
    lookbackSeconds: lookbackSeconds + seconds,
    isForced,
  });
}

/** Deleted rows of this table must be removed before the merge, because other rows take over their values. */
const nothingSynced = (facts: TableFacts, refusal: IncrepError): IncrepError => {
  if (refusal.code !== 'DELETE_LIMIT_EXCEEDED') return takenOver(facts, refusal);
  const { name, selection } = facts.settings;
  return reworded(refusal, {
    what: refusal.message,
    next: `Nothing of "${name}" was synced, because a constraint of the destination needs these rows removed first. ${ifRight(rowsFrom(selection))}, run "${tableCommand('sync', name, '--deletes', '--force')}".`,
    cause: refusal,
  });
};

/**
 * Whether the window does not show all changes. The source may have lost committed rows, for example in a failover, or an
 * ALTER may have changed values without a new replication key.
 */
const comparesMore = ({ facts, plan, fence }: Changes): boolean =>
  comparisonDue(facts, plan, fence) !== undefined || plan.rewritten !== undefined;

async function comparedToo(
  changes: Changes,
  source: pg.ClientBase,
  merged: Merged,
  read: Window,
): Promise<Merged> {
  const { context, plan, destination, fence } = changes;
  if (!comparesMore(changes)) return merged;
  const due = comparisonDue(changes.facts, plan, fence);
  const { facts } = merged;
  const more = await compareMore({
    context,
    facts,
    plan,
    rewritten: due === 'all' ? undefined : plan.rewritten,
    recent: due === 'recent' ? byKey(read) : undefined,
    source,
    destination,
  });
  const { counts } = merged;
  return {
    ...merged,
    counts: {
      ...counts,
      inserted: counts.inserted + more.inserted,
      updated: counts.updated + more.updated,
      conflicts: addConflicts(counts.conflicts, more.conflicts),
    },
    fetched: more.inserted + more.updated,
    compared: more.compared,
  };
}

async function remove(
  { context, facts, isForced }: Changes,
  sides: Omit<Removing, 'isForced'>,
): Promise<Removal> {
  await enterPhase(context, facts, 'deletes');
  return removeDeleted({ ...sides, isForced });
}

/** If several rows share a unique key and one of them has no replication key, the destination has only the newest row. */
const withoutShared = (window: Window): Window => (window.sharing ? { ...window, nullKeys: 'warn' } : window);

const byKey = (window: Window): string =>
  windowCondition({ ...withoutShared(window), orWrittenSince: undefined });

/**
 * The rows of a window, on both sides. A window can select rows by `xmin`, which means nothing at the destination. There,
 * the rows that have just been copied take their place.
 */
function scopeOf(
  { settings, stagingName }: TableFacts,
  window: Window,
): Pick<CopiedComparison, 'where' | 'whereCopied'> {
  const where = windowCondition(withoutShared(window));
  if (window.orWrittenSince === undefined) return { where };
  return settings.mergeKey.length === 0
    ? { where: byKey(window) }
    : { where, whereCopied: `(${byKey(window)}) OR ${isAmong(stagingName, rowKey(settings))}` };
}

const evolvingOf = ({ context, facts, plan, destination }: Changes): Evolving | undefined =>
  plan.evolution && { context, facts, relation: plan.source, evolution: plan.evolution, destination };

interface Merged {
  readonly counts: MergeCounts;
  /** Set if the shape of the table was changed: rows outside the window that got values. */
  readonly evolved?: { readonly filledRows: number; readonly warnings: readonly string[] };
  /** Rows that were left out because a newer row has the same key. */
  readonly older: number;
  /** With the destination table as it is after the merge. */
  readonly facts: TableFacts;
  /** Rows that a comparison fetched in addition to the window. */
  readonly fetched: number;
  /** Rows of the source in that comparison. */
  readonly compared?: number | undefined;
}

/** If the shape changed, alters the destination table before the merge. */
async function mergeWindow(changes: Changes, copied: Copied, fill: Fill | undefined): Promise<Merged> {
  const evolving = evolvingOf(changes);
  if (!evolving) return mergeRows(changes, copied);
  const altered = await alterDestination(evolving, fill);
  const merged = await mergeRows({ ...changes, facts: altered.facts }, copied);
  const warnings = await finishEvolution(evolving, altered);
  return { ...merged, evolved: { filledRows: altered.filledRows, warnings } };
}

async function mergeRows(changes: Changes, { rows }: Copied): Promise<Merged> {
  const { context, facts, plan, destination } = changes;
  const { source: relation } = plan;
  const merging: Merging = {
    ...{ context, facts, relation, destination },
    share: shareOf(facts, rows),
    isRemovalOver: plan.removesFirst,
  };
  if (rows > 0) {
    await enterPhase(context, facts, 'merge');
    const atOnce = await mergeFewAtOnce(changes, merging, rows);
    if (atOnce) return { counts: atOnce, older: 0, facts, fetched: 0 };
    await holdDestination(destination, facts, context.timing, { holds: 'part' });
  }
  if (!plan.hasMergeIndex) await ensureKeyIndex(destination, facts);
  if (rows === 0) return { counts: NO_COUNTS, older: 0, facts, fetched: 0 };
  const older = await dropOlderVersions(destination, mergeOf(facts, relation), relation);
  const counts = await mergeInto(merging);
  return { counts, older, facts, fetched: 0 };
}

/** Up to this many rows, a merge that is refused and repeated costs less than a message. */
const FEW_ROWS = 10_000;

async function mergeFewAtOnce(
  { context, facts, plan }: Changes,
  merging: Merging,
  rows: number,
): Promise<MergeCounts | undefined> {
  const { destination, settings } = facts;
  if (rows > FEW_ROWS || !plan.hasMergeIndex || !destination || isShared(settings)) return undefined;
  return mergeAtOnce(merging, holdInMessage(facts, context.timing, destination));
}

/** From this share on, reading the whole table once costs less than an index lookup for every row of the window. */
const MANY = 1 / 2;

const shareOf = ({ destination }: TableFacts, rows: number): Share =>
  rows < MANY * (destination?.estimatedRows ?? Infinity) ? 'few' : 'many';

/** These rows were found by the comparison of keys in the snapshot of the window. */
const missingWarning = ({ settings: { name, replicationKey } }: TableFacts, rows: number): string[] =>
  rows === 0
    ? []
    : [
        `${rows === 1 ? '1 row of the source is' : `${rows} rows of the source are`} missing in the destination table, because no sync saw a new ${replicationKey}; to fetch ${rows === 1 ? 'it' : 'them'}, run "${tableCommand('verify', name, '--repair')}"`,
      ];

const legacyWarning = ({ since }: IncrementalPlan): string[] =>
  'legacyCursor' in since
    ? [
        'increp continues from the state file of the older script; to find rows that the script missed, run "increp verify"',
      ]
    : [];
