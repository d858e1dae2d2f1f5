/** The state after a sync, and changes of the source since the sync before. */
import { findsDeleted } from '../../schema/deleted-rows.ts';
import type { Reason } from '../../reasons.ts';
import type { IncrepError } from '../../errors.ts';
import { nextFences, type Fence } from '../../schema/fence-rules.ts';
import { lowestCursor } from '../../schema/keys.ts';
import { hasSystemColumns } from '../../schema/relations.ts';
import { recordedSelection, rowsFrom } from '../../schema/selection.ts';
import { fingerprintOf } from '../../schema/shape.ts';
import {
  isSameInstance,
  recordedWriting,
  STATE_FORMAT,
  type ReadAs,
  isKeyed,
  type KeyedRecord,
  type StateRecord,
} from '../../schema/state-record.ts';
import { keepsRest } from '../plan/reload-guard.ts';
import { wasKeyEnforced } from '../plan/lost-key.ts';
import { contentSettings, type WasRead } from '../plan/unchanged-check.ts';
import { clockShift, isReplaced, type ClockShift } from './clock-shift.ts';
import type { CopyFacts, TableFacts } from '../facts/facts.ts';
import { logId, logPosition } from '../facts/deletion-log.ts';
import { holdsFormerMarks } from '../facts/marks.ts';
import { generationOf } from '../facts/saved-state.ts';
import { describeInFlight, type InFlight, type RaisedFence } from './fence.ts';
import { isKeyedPlan, type IncrementalPlan, type KeyedPlan, type LoadPlan } from '../plan/plan.ts';
import { instanceOf } from '../facts/server-instance.ts';
import type { TableJob } from '../plan/table-job.ts';
import { writerHere } from '../../state/state-directory.ts';

/**
 * The record of the last sync with the same replication key. A load uses it too: a transaction that is open during the
 * load cannot write below the old cursor later.
 */
function recordBefore(
  { saved }: CopyFacts,
  { replicationKey, keyType }: Pick<KeyedPlan, 'replicationKey' | 'keyType'>,
): KeyedRecord | undefined {
  if (saved.kind !== 'record' || !isKeyed(saved.record)) return undefined;
  const { record } = saved;
  return record.replicationKey === replicationKey && record.keyType === keyType ? record : undefined;
}

/** The cursor and the fences of the sync before. */
export function knownBefore(facts: CopyFacts, plan: Pick<KeyedPlan, 'replicationKey' | 'keyType'>) {
  const record = recordBefore(facts, plan);
  return {
    keyType: plan.keyType,
    cursor: record?.cursor ?? null,
    fences: record?.fences ?? [],
    isSameServerInstance: record === undefined || isSameInstance(record.sourceLife, instanceOf(facts)),
  };
}

interface SyncEnd {
  /** Whether the destination table is known to hold no row that was deleted at the source. */
  readonly areDeletesDone: boolean;
  /** Why deleted rows were not removed. The next sync compares again then. */
  readonly refusal?: IncrepError | undefined;
  /** The deletion log, if all rows in it were removed. A load has not read it. */
  readonly readLog?: { readonly oid: string | null } | undefined;
  /** The rows that a full refresh has read. */
  readonly contents?: WasRead | undefined;
  /** The generation of the new state. By default that of the facts plus one. */
  readonly generation?: number;
}

export const nextGeneration = ({ saved }: CopyFacts): number => generationOf(saved) + 1;

export function nextRecord(
  { context, facts, plan }: Pick<TableJob, 'context' | 'facts' | 'plan'>,
  fence: RaisedFence,
  { areDeletesDone, refusal, readLog, contents, generation = nextGeneration(facts) }: SyncEnd,
): StateRecord {
  return {
    format: STATE_FORMAT,
    pipeline: context.settings.pipeline,
    source: { database: facts.servers.source.database, ...facts.sourceName },
    destination: facts.destinationName,
    destinationServer: {
      systemIdentifier: facts.servers.destination.systemIdentifier,
      database: facts.servers.destination.database,
    },
    writtenTo: null,
    sourceLife: instanceOf(facts),
    sourceTime: fence.sourceTime,
    fencedAt: fence.fencedAt.toISOString(),
    networkSeconds: fence.networkSeconds,
    ...deletesAfter(facts, fence, { areDeletesDone, refusal }),
    deletions: deletionsAfter(facts, fence, readLog),
    mergeKey: [...facts.settings.mergeKey],
    isKeyEnforced: wasKeyEnforced(facts, plan, plan.source),
    ...cursorAfter(facts, plan, fence),
    settledXid: settledXid(facts, fence),
    files: [...plan.source.files],
    readAs: readAs(facts),
    contents: contents
      ? { ...contents, settings: contentSettings(facts.settings), readAt: fence.fencedAt.toISOString() }
      : null,
    selection: recordedSelection(facts.settings.selection),
    writtenAs: recordedWriting({
      ...facts.settings,
      hasMarks: facts.settings.deletes === 'soft' || holdsFormerMarks(facts),
    }),
    types: facts.settings.types,
    shape: plan.shape,
    fingerprint: fingerprintOf(plan.shape),
    writtenBy: writerHere(context.settings.stateDirectory),
    byService: context.byService,
    generation,
    runId: context.runId,
    syncedAt: new Date().toISOString(),
  };
}

/**
 * The position in the deletion log. A transaction that is still open may commit deletions with earlier times: not before
 * its own start, and not before the last sync that did not list it.
 */
function deletionsAfter(
  facts: CopyFacts,
  { sourceTime, remaining }: RaisedFence,
  readLog: SyncEnd['readLog'],
): StateRecord['deletions'] {
  const { settings, saved } = facts;
  const { deletionLog, source } = settings;
  if (!deletionLog) return null;
  const before = logPosition(facts, settings);
  if (!readLog) return before ?? null;
  const record = saved.kind === 'record' ? saved.record : undefined;
  const isKnown =
    record && isSameInstance(record.sourceLife, instanceOf(facts))
      ? (name: string) => record.fences.some(({ transactions }) => transactions.includes(name))
      : () => true;
  const starts = remaining.map(
    ({ startedAt, transaction }) =>
      startedAt ?? (isKnown(transaction) ? before?.from : record?.sourceTime) ?? null,
  );
  const from = lowestCursor('timestamptz', [sourceTime, ...starts]);
  return from === null ? null : { log: logId(deletionLog, source), oid: readLog.oid, from };
}

const cursorAfter = (facts: CopyFacts, plan: IncrementalPlan | LoadPlan, fence: RaisedFence) =>
  isKeyedPlan(plan)
    ? {
        replicationKey: plan.replicationKey,
        keyType: plan.keyType,
        cursor: fence.high,
        isBounded: true,
        fences: fencesAfter(facts, plan, fence),
      }
    : { replicationKey: null, keyType: null, cursor: null, isBounded: true, fences: [] };

export const readAs = ({ settings: { lookbackSeconds, nullKeys } }: CopyFacts): ReadAs => ({
  lookbackSeconds,
  nullKeys,
});

/** All transactions below this ID had ended before the snapshot. With open transactions it is the oldest running ID. */
const settledXid = ({ servers }: CopyFacts, { remaining, oldestXid, nextXid }: RaisedFence): string =>
  remaining.length === 0 && !servers.source.isStandby ? nextXid : oldestXid;

function fencesAfter(facts: CopyFacts, plan: KeyedPlan, fence: RaisedFence): Fence[] {
  const sinceOf = openSince(facts, fence);
  const afterOf = openAfter(facts, plan, fence);
  return marksAfter(facts, plan, fence).map(({ from, transactions }) => {
    const open = fence.remaining.filter(({ transaction }) => transactions.includes(transaction));
    const [since] = open.map(sinceOf).toSorted();
    const after = open.map(afterOf);
    const [earliest] = after.every((time) => time !== undefined) ? after.toSorted() : [];
    return {
      from,
      transactions,
      ...(since !== undefined && { openSince: since }),
      ...(earliest !== undefined && { openAfter: earliest }),
    };
  });
}

/** Before this time, a transaction had not begun. Undefined after a clock was set back, and if the last sync may have listed it. */
function openAfter(facts: CopyFacts, plan: KeyedPlan, fence: RaisedFence) {
  const record = recordBefore(facts, plan);
  const isComparable = record && isSameInstance(record.sourceLife, instanceOf(facts));
  const isShifted = clockShiftSince(facts, plan, fence).seconds > 0;
  const now = fence.fencedAt.toISOString();
  return ({ transaction, startedAt, ageSeconds }: InFlight): string | undefined => {
    const known = isComparable
      ? record.fences.find(({ transactions }) => transactions.includes(transaction))
      : undefined;
    if (known) return known.openAfter;
    if (isShifted) return undefined;
    // For a prepared transaction, the age is the time since PREPARE TRANSACTION.
    if (startedAt !== null && ageSeconds !== null)
      return new Date(fence.fencedAt.getTime() - ageSeconds * 1000).toISOString();
    const isListed = !isComparable || transaction.startsWith('-1/') || record.fencedAt > now;
    return isListed ? undefined : record.fencedAt;
  };
}

/** When a transaction began at the latest. An ID means the same transaction only within one server instance. */
function openSince({ saved, ...facts }: CopyFacts, { fencedAt }: Pick<RaisedFence, 'fencedAt'>) {
  const record = saved.kind === 'record' ? saved.record : undefined;
  const fences = record && isSameInstance(record.sourceLife, instanceOf(facts)) ? record.fences : [];
  return ({ transaction, ageSeconds }: InFlight): string =>
    ageSeconds === null
      ? (fences.find(({ transactions }) => transactions.includes(transaction))?.openSince ??
        fencedAt.toISOString())
      : new Date(fencedAt.getTime() - ageSeconds * 1000).toISOString();
}

/** After a clock was set back, open transactions may write any key. Their fence covers the whole table. */
function marksAfter(facts: CopyFacts, plan: KeyedPlan, { remaining, ...fence }: RaisedFence): Fence[] {
  const transactions = remaining.map(({ transaction }) => transaction);
  if (transactions.length > 0 && shiftSince(facts, plan, { ...fence, remaining }).seconds > 0)
    return [{ from: null, transactions }];
  // The start time of a transaction is comparable only with keys of type timestamptz.
  const startOf = (name: string) =>
    plan.keyType === 'timestamptz'
      ? (remaining.find(({ transaction }) => transaction === name)?.startedAt ?? null)
      : null;
  return nextFences(knownBefore(facts, plan), transactions, startOf);
}

/** The clock shift of the source since the last sync. An integer key needs none. */
export const shiftSince = (facts: CopyFacts, plan: KeyedPlan, fence: RaisedFence): ClockShift =>
  plan.keyType === 'integer' ? NO_SHIFT : clockShiftSince(facts, plan, fence);

const NO_SHIFT: ClockShift = { seconds: 0, warnings: [] };

/** The same for times that do not depend on the key. */
export function clockShiftSince(facts: CopyFacts, plan: KeyedPlan, fence: RaisedFence): ClockShift {
  const record = recordBefore(facts, plan);
  return record ? clockShift(record, fence, facts.servers) : NO_SHIFT;
}

/**
 * Which rows have to be compared, because a window does not show that they have older values again: all rows, or the
 * recent rows, which either side has in the window. Undefined if the window shows every change.
 */
export type Due = 'all' | 'recent';

/**
 * A source that was replaced has lost its last commits.
 * - With an integer key it may have assigned the same integers again.
 * - With a time key a row may have its former time again, below the window. The destination has that row in the window.
 * - Rows that were deleted last exist again. That matters if increp removes deleted rows, and only a comparison of all
 *   rows finds them.
 */
export function comparisonDue(facts: CopyFacts, plan: KeyedPlan, fence: RaisedFence): Due | undefined {
  const record = recordBefore(facts, plan);
  const { settings, servers } = facts;
  if (!record || settings.mergeKey.length === 0) return undefined;
  const hasLost = isReplaced(record, fence, servers.source);
  if (plan.keyType !== 'integer') {
    if (!hasLost) return undefined;
    return findsDeleted(settings) ? 'all' : 'recent';
  }
  const wasRestarted = record.sourceLife.startedAt !== servers.source.startedAt;
  const isSmall = hasSystemColumns(plan.source) && plan.source.bytes <= RESTART_COMPARED_BYTES;
  return hasLost || (wasRestarted && isSmall) ? 'all' : undefined;
}

/** Bytes. Smaller tables are compared after any restart, because the server may have been restored from a backup. */
const RESTART_COMPARED_BYTES = 10_000_000;

/** What happened at the source since the last sync. */
export const eventsSince = (facts: CopyFacts, plan: KeyedPlan, fence: RaisedFence) => ({
  single: replacedWarning(facts, plan, fence),
  repeated: shiftSince(facts, plan, fence).warnings,
});

function replacedWarning(facts: CopyFacts, plan: KeyedPlan, fence: RaisedFence): string[] {
  const record = recordBefore(facts, plan);
  if (!record || !isReplaced(record, fence, facts.servers.source)) return [];
  const due = comparisonDue(facts, plan, fence);
  const done =
    due === 'all'
      ? 'every row was compared'
      : due === 'recent'
        ? 'the rows of the last hour were compared'
        : 'the window started an hour lower';
  const left = !findsDeleted(facts.settings)
    ? '; the destination table may keep rows that only the former source had, and to see them, run "increp verify"'
    : '';
  return [
    `the source was replaced since the last sync (a failover to another timeline, or a restore): ${done}${left}`,
  ];
}

function deletesAfter(
  { saved }: CopyFacts,
  { fencedAt }: RaisedFence,
  { areDeletesDone, refusal }: Pick<SyncEnd, 'areDeletesDone' | 'refusal'>,
): Pick<StateRecord, 'deletesCheckedAt' | 'deletesRefusedAt'> {
  const at = fencedAt.toISOString();
  if (areDeletesDone) return { deletesCheckedAt: at, deletesRefusedAt: null };
  const before = saved.kind === 'record' ? saved.record : undefined;
  return {
    deletesCheckedAt: before?.deletesCheckedAt ?? null,
    deletesRefusedAt: refusal ? at : (before?.deletesRefusedAt ?? null),
  };
}

export function fenceWarnings(
  facts: CopyFacts,
  { remaining, fencedAt }: Pick<RaisedFence, 'remaining' | 'fencedAt'>,
): string[] {
  const standby = facts.servers.source.isStandby
    ? [
        'the source is a standby, which hides the transactions of its primary: only lookback protects against late commits',
      ]
    : [];
  if (remaining.length === 0) return standby;
  const sinceOf = openSince(facts, { fencedAt });
  const shown = remaining
    .slice(0, 3)
    .map((each) => describeInFlight(each, (fencedAt.getTime() - Date.parse(sinceOf(each))) / 1000))
    .join('; ');
  const more = remaining.length > 3 ? ` and ${remaining.length - 3} more` : '';
  return [
    ...standby,
    remaining.length === 1
      ? `1 transaction is open at the source (${shown}). After it ends, increp reads the rows that it has written.`
      : `${remaining.length} transactions are open at the source (${shown}${more}). After they end, increp reads the rows that they have written.`,
  ];
}

/** A restored source, for example, has fewer rows. The window covers the changes, and only a comparison finds the rows that are gone. */
export function wentBack(
  { settings }: Pick<TableFacts, 'settings'>,
  { since, keyType, replicationKey, removesDeleted }: IncrementalPlan,
  high: string | null,
): Reason[] {
  if (!('cursor' in since) || since.cursor === null || since.cursor === high) return [];
  const { name, selection, deletes, mergeKey } = settings;
  return high === null || lowestCursor(keyType, [since.cursor, high]) === high
    ? [
        {
          code: 'key-went-back',
          name,
          column: replicationKey,
          from: since.cursor,
          to: high,
          rowsFrom: rowsFrom(selection),
          mayKeep: deletes === 'ignore' && mergeKey.length > 0 && !keepsRest(settings),
          removal: deletes === 'hard' || deletes === 'soft' ? { deletes, isDue: removesDeleted } : undefined,
        },
      ]
    : [];
}
