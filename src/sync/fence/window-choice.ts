/** Chooses the rows that an incremental sync reads, and checks whether there are any. */
import type pg from 'pg';
import * as z from 'zod';
import { askTogether } from '../../postgres/user-search-path.ts';
import { windowStart } from '../../schema/fence-rules.ts';
import { lowestCursor } from '../../schema/keys.ts';
import { isUniqueBy, showsWriters, type Relation } from '../../schema/relations.ts';
import { isAppend } from '../../schema/row-identity.ts';
import { isSameInstance, type ReadAs, type StateRecord } from '../../schema/state-record.ts';
import { isWrittenSince } from '../../sql/compare.ts';
import { IN_FLIGHT } from '../../sql/fence.ts';
import type { Statement } from '../../sql/search-path.ts';
import { hasRowsIn, PROBED_AT, withoutScans, type Window } from '../../sql/window.ts';
import type { CopyFacts } from '../facts/facts.ts';
import type { RaisedFence } from './fence.ts';
import { legacyStart } from './legacy-cursor.ts';
import { hasTransactionIds } from './pending-rows.ts';
import type { IncrementalPlan } from '../plan/plan.ts';
import { instanceOf } from '../facts/server-instance.ts';
import { knownBefore, readAs, shiftSince } from './next-state.ts';

export interface ChosenWindow {
  readonly window: Window;
  /** No row of the window was written since the last sync, which has read them all. */
  readonly isQuiet: boolean;
}

/** The window is chosen in the snapshot, because transactions of earlier fences may have ended by then. */
export interface WindowChoice {
  /** Everything that determines the rows: an equal basis means equal rows. Undefined if they are not shared. */
  readonly basis?: string;
  /** Sent in the same message that opens the snapshot. */
  readonly questions: readonly Statement[];
  readonly choose: (source: pg.ClientBase, answers: readonly pg.QueryResult[]) => Promise<ChosenWindow>;
}

const openRows = z.array(z.object({ transaction: z.string() }));
const foundRow = z.object({ hasRows: z.boolean() });

export function windowChoice(
  facts: CopyFacts,
  plan: IncrementalPlan,
  fence: RaisedFence,
  { mustRead }: { readonly mustRead: boolean },
): WindowChoice {
  const hasFences = knownBefore(facts, plan).fences.length > 0;
  const probeFor = (window: Window) => withoutScans(mustRead ? [] : quietProbe(facts, plan, window));
  const chosen = (window: Window, isQuiet: boolean): ChosenWindow => ({
    window: mustRead ? window : withoutReadRows(facts, plan, window),
    isQuiet,
  });
  const basis = JSON.stringify([
    chosen(windowFrom(facts, plan, fence, []), false),
    knownBefore(facts, plan),
    'legacyCursor' in plan.since ? plan.since : probeInput(plan.since),
    mustRead,
  ]);
  if (hasFences) {
    const choose: WindowChoice['choose'] = async (source, [inFlight]) => {
      const openTransactions = openRows.parse(inFlight?.rows).map(({ transaction }) => transaction);
      const window = windowFrom(facts, plan, fence, openTransactions);
      const probe = probeFor(window);
      return chosen(window, probe.length > 0 && hasNoRows((await askTogether(source, probe))[PROBED_AT]));
    };
    return { basis, questions: [IN_FLIGHT], choose };
  }
  const window = windowFrom(facts, plan, fence, []);
  const probe = probeFor(window);
  return {
    basis,
    questions: probe,
    choose: (_source, found) => Promise.resolve(chosen(window, hasNoRows(found[PROBED_AT]))),
  };
}

const probeInput = ({ settledXid, sourceLife, readAs: way, shape: { oid } }: StateRecord) => ({
  ...{ settledXid, sourceLife, way, oid },
});

/** Whether the answer to a quiet probe says so. Without a probe that is unknown. */
export const hasNoRows = (answer: pg.QueryResult | undefined): boolean =>
  answer !== undefined && !foundRow.parse(answer.rows[0]).hasRows;

export function windowFrom(
  facts: CopyFacts,
  plan: IncrementalPlan,
  fence: RaisedFence,
  openTransactions: readonly string[],
): Window {
  const start =
    'legacyCursor' in plan.since
      ? legacyStart(plan.since.legacyCursor, plan.keyType)
      : windowStart(knownBefore(facts, plan), openTransactions);
  const sharing = sharingOf(facts, plan.source);
  // The largest key may be lower than before: top rows were deleted, a clock was set back, or a sequence was restarted. Rows
  // that share a unique key may be in different groups of partitions, so the whole table is read then.
  const isWhole = sharing.sharing !== undefined && facts.sourceRows.inGroups !== undefined;
  const from = isWhole ? null : lowestCursor(plan.keyType, [start, fence.high]);
  const isLower = plan.keyType === 'integer' && !isWhole && from !== start;
  return {
    replicationKey: plan.replicationKey,
    keyType: plan.keyType,
    ...(isLower || comesAnywhere(facts, plan.source, fence) ? anywhere(facts, plan, fence, from) : { from }),
    lookbackSeconds: facts.settings.lookbackSeconds + shiftSince(facts, plan, fence).seconds,
    nullKeys: facts.settings.nullKeys,
    ...sharing,
  };
}

/**
 * Each sync reads the rows without a replication key. Such a row must not replace the newest row with the same unique
 * key.
 */
function sharingOf({ settings }: CopyFacts, source: Relation): Pick<Window, 'sharing'> {
  const { mergeKey, nullKeys } = settings;
  if (nullKeys !== 'include' || isAppend(settings) || isUniqueBy(source, mergeKey)) return {};
  const parts = source.columns
    .filter(({ name }) => mergeKey.includes(name))
    .map(({ name, isNotNull, base }) => ({ name, isNullable: !isNotNull, isBuiltIn: base.isBuiltIn }));
  return parts.length === 0 ? {} : { sharing: parts };
}

/** Bytes. Up to this size a table is scanned as a whole to find the rows written since the last sync. */
export const SCANNED_BYTES = 100_000_000;

/** Whether new rows may have keys below the mark, and a scan of the whole table for them is cheap. */
const comesAnywhere = (
  { selected }: CopyFacts,
  source: Relation,
  { isUncertain, origin }: RaisedFence,
): boolean =>
  (isUncertain || origin.hasPool || origin.isSubscribed || origin.isCopied) &&
  source.bytes <= SCANNED_BYTES &&
  hasTransactionIds(source) &&
  selected.isSteady;

/**
 * Adds to the window all rows that were written since the last sync, whatever their keys. A restarted sequence, for
 * example, gives numbers below the new mark. If transaction IDs do not show these rows, the whole table is read.
 */
function anywhere(
  facts: CopyFacts,
  { since, source, keyType }: IncrementalPlan,
  { high }: RaisedFence,
  from: string | null,
): Pick<Window, 'from' | 'orWrittenSince'> {
  if (from === null || !('settledXid' in since) || since.settledXid === null) return { from: null };
  // An earlier version of increp took any value as the cursor, and may have missed rows below it.
  const isOdd =
    keyType === 'integer' && !since.isBounded && lowestCursor(keyType, [since.cursor, high]) !== since.cursor;
  const isKnown =
    !isOdd &&
    hasTransactionIds(source) &&
    facts.selected.isSteady &&
    source.oid === since.shape.oid &&
    // After a crash, the same server can assign transaction IDs a second time (synchronous_commit = off).
    isSameInstance(since.sourceLife, instanceOf(facts));
  return isKnown ? { from, orWrittenSince: since.settledXid } : { from: null };
}

/** Whether transaction IDs show which rows the last sync has read. */
const showsWhatIsNew = (facts: CopyFacts, source: Relation, since: StateRecord): boolean =>
  showsWriters(source) &&
  facts.selected.isSteady &&
  source.oid === since.shape.oid &&
  isSameInstance(since.sourceLife, instanceOf(facts));

/**
 * Asks whether a transaction that the last sync did not see finished has written a row of the window. There is no
 * question if transaction IDs do not show that:
 * - another server instance may have assigned the same IDs to other transactions;
 * - a partition may have been attached with rows of older transactions;
 * - a window with another lookback or another treatment of NULL may hold rows that no sync has read yet;
 * - a selection by the clock or by another table may select a row that no transaction has written.
 */
export function quietProbe(facts: CopyFacts, plan: IncrementalPlan, window: Window): Statement[] {
  const since = settledBefore(facts, plan, window);
  if (since === undefined) return [];
  const condition = isWrittenSince(since);
  return [hasRowsIn(facts.sourceRows, window, { condition, isInIndex: isInIndex(plan.source, window) })];
}

/** Whether an index has exactly the rows of the window, in the order of their keys. If not, the whole table may be read. */
export const isInIndex = (
  { indexedColumns, kind, hasChildren }: Pick<Relation, 'indexedColumns' | 'kind' | 'hasChildren'>,
  { from, nullKeys, replicationKey, orWrittenSince }: Window,
): boolean =>
  from !== null &&
  nullKeys === 'warn' &&
  orWrittenSince === undefined &&
  indexedColumns.includes(replicationKey) &&
  // The indexes of a parent do not have the rows of its children.
  !(kind === 'table' && hasChildren);

/** Transactions below this ID wrote no row of the window that the last sync has not read. Undefined if that is unknown. */
export function settledBefore(
  facts: CopyFacts,
  { since, source }: Pick<IncrementalPlan, 'since' | 'source'>,
  window: Window,
): string | undefined {
  if (!('settledXid' in since) || since.settledXid === null) return undefined;
  const isKnown =
    showsWhatIsNew(facts, source, since) &&
    isSameWay(since.readAs, readAs(facts)) &&
    window.lookbackSeconds === facts.settings.lookbackSeconds;
  return isKnown ? since.settledXid : undefined;
}

/**
 * A window overlaps with the window before, and a bulk update gives many rows the same key. So the rows that were read
 * before are left out, if the same facts that answer a quiet probe show which rows these are. All of them are read again
 * in these cases:
 * - The window is the whole table, because the state does not show which rows were read.
 * - Several rows of the source can share a unique key. The newest of them wins, so they are compared with each other.
 * - The shape changes. Rows above the cursor are read whole then, and the others get only the new values.
 */
function withoutReadRows(facts: CopyFacts, plan: IncrementalPlan, window: Window): Window {
  const isNarrowable =
    window.from !== null &&
    window.orWrittenSince === undefined &&
    plan.evolution === undefined &&
    isUniqueBy(plan.source, facts.settings.mergeKey);
  return isNarrowable ? { ...window, onlyWrittenSince: settledBefore(facts, plan, window) } : window;
}

const isSameWay = (before: ReadAs | null, now: ReadAs): boolean =>
  before !== null && before.lookbackSeconds === now.lookbackSeconds && before.nullKeys === now.nullKeys;
