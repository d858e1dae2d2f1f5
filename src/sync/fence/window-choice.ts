/** Which rows an incremental sync reads, and whether it need read any. */
import type pg from 'pg';
import { z } from 'zod';
import { askTogether } from '../../postgres/usual-path.ts';
import { windowStart } from '../../schema/fences.ts';
import { lowestCursor } from '../../schema/keys.ts';
import { isUniqueBy, showsWriters, type Relation } from '../../schema/relations.ts';
import { isAppend } from '../../schema/row-identity.ts';
import { isSameInstance, type ReadAs, type StateRecord } from '../../schema/state-record.ts';
import { farFrom, isWrittenSince } from '../../sql/compare.ts';
import { IN_FLIGHT } from '../../sql/fence.ts';
import type { Statement } from '../../sql/search-path.ts';
import { HAS_ROWS_AT, hasRowsIn, type Window } from '../../sql/window.ts';
import type { CopyFacts } from '../facts/facts.ts';
import type { RaisedFence } from './fence.ts';
import { legacyStart } from './legacy-cursor.ts';
import { countsOn, hasNumbers } from './pending-rows.ts';
import type { IncrementalPlan } from '../plan/plan.ts';
import { instanceOf } from '../facts/server-instance.ts';
import { knownBefore, readAs, shiftSince } from './next-state.ts';

export interface ChosenWindow {
  readonly window: Window;
  /** Nobody has written any row of it since the last sync, which has read them all. */
  readonly isQuiet: boolean;
}

/** Decided inside the snapshot, because transactions that an earlier sync left open may have ended by then. */
export interface WindowChoice {
  /** All that decides which rows are read: where it is the same, so are they. Undefined for what nobody shares. */
  readonly basis?: string;
  /** Asked when the snapshot is opened, in the same message. */
  readonly questions: readonly Statement[];
  readonly choose: (source: pg.ClientBase, answers: readonly pg.QueryResult[]) => Promise<ChosenWindow>;
}

const aliveRows = z.array(z.object({ transaction: z.string() }));
const foundRow = z.object({ hasRows: z.boolean() });

export function windowChoice(
  facts: CopyFacts,
  plan: IncrementalPlan,
  fence: RaisedFence,
  { mustRead }: { readonly mustRead: boolean },
): WindowChoice {
  const hasFences = knownBefore(facts, plan).fences.length > 0;
  const probeFor = (window: Window) => (mustRead ? [] : quietProbe(facts, plan, fence, window));
  const basis = JSON.stringify([
    windowFrom(facts, plan, fence, []),
    knownBefore(facts, plan),
    'legacyCursor' in plan.since ? plan.since : whatProbeKnows(plan.since),
    mustRead,
  ]);
  if (hasFences) {
    const choose: WindowChoice['choose'] = async (source, [inFlight]) => {
      const alive = aliveRows.parse(inFlight?.rows).map(({ transaction }) => transaction);
      const window = windowFrom(facts, plan, fence, alive);
      const probe = probeFor(window);
      if (probe.length === 0) return { window, isQuiet: false };
      return { window, isQuiet: saysNo(await askTogether(source, probe)) };
    };
    return { basis, questions: [IN_FLIGHT], choose };
  }
  const window = windowFrom(facts, plan, fence, []);
  const probe = probeFor(window);
  return {
    basis,
    questions: probe,
    choose: (_source, found) => Promise.resolve({ window, isQuiet: saysNo(found) }),
  };
}

const whatProbeKnows = ({ settledXid, sourceLife, readAs: way, shape: { oid } }: StateRecord) => ({
  ...{ settledXid, sourceLife, way, oid },
});

function saysNo(answers: readonly pg.QueryResult[]): boolean {
  const found = answers[HAS_ROWS_AT];
  return found !== undefined && !foundRow.parse(found.rows[0]).hasRows;
}

function windowFrom(
  facts: CopyFacts,
  plan: IncrementalPlan,
  fence: RaisedFence,
  alive: readonly string[],
): Window {
  const start =
    'legacyCursor' in plan.since
      ? legacyStart(plan.since.legacyCursor, plan.keyType)
      : windowStart(knownBefore(facts, plan), alive);
  // Keys may have gone down: rows deleted at the top, a clock set back, a sequence restarted.
  const from = lowestCursor(plan.keyType, [start, fence.high]);
  const isLower = plan.keyType === 'integer' && from !== start;
  return {
    replicationKey: plan.replicationKey,
    keyType: plan.keyType,
    ...(isLower || comesAnywhere(facts, plan.source, fence) ? anywhere(facts, plan, fence, from) : { from }),
    lookbackSeconds: facts.settings.lookbackSeconds + shiftSince(facts, plan, fence).seconds,
    nullKeys: facts.settings.nullKeys,
    ...sharingOf(facts, plan.source),
  };
}

/** A row without a replication key is read at every sync, and must not take the place of the newest row of its key. */
function sharingOf({ settings }: CopyFacts, source: Relation): Pick<Window, 'sharing'> {
  const { mergeKey, nullKeys } = settings;
  if (nullKeys !== 'include' || isAppend(settings) || isUniqueBy(source, mergeKey)) return {};
  const parts = source.columns
    .filter(({ name }) => mergeKey.includes(name))
    .map(({ name, isNotNull, base }) => ({ name, isNullable: !isNotNull, isBuiltIn: base.isBuiltIn }));
  return parts.length === 0 ? {} : { sharing: parts };
}

/** Bytes up to which a table is read as a whole to find what was written since the last sync. */
export const SCANNED_BYTES = 100_000_000;

/** Whether rows come with keys below the mark, and looking for them wherever they lie costs little. */
const comesAnywhere = (
  { selected }: CopyFacts,
  source: Relation,
  { isUncertain, origin }: RaisedFence,
): boolean =>
  (isUncertain || origin.hasPool || origin.isSubscribed || origin.isCopied) &&
  source.bytes <= SCANNED_BYTES &&
  hasNumbers(source) &&
  selected.isSteady;

/**
 * Besides the window, all that was written since the last sync, wherever it lies. A sequence that starts again gives
 * numbers below the new end, too. Where the numbers of transactions do not tell what that is, everything is read.
 */
function anywhere(
  facts: CopyFacts,
  { since, source, keyType }: IncrementalPlan,
  { nextXid, high }: RaisedFence,
  from: string | null,
): Pick<Window, 'from' | 'orWritten'> {
  if (from === null || !('settledXid' in since) || since.settledXid === null) return { from: null };
  // An earlier version let any value become the cursor, and has not seen what came below it.
  const isOdd =
    keyType === 'integer' && !since.isBounded && lowestCursor(keyType, [since.cursor, high]) !== since.cursor;
  const isKnown =
    !isOdd &&
    hasNumbers(source) &&
    facts.selected.isSteady &&
    source.oid === since.shape.oid &&
    countsOn(since.sourceLife, instanceOf(facts));
  return isKnown
    ? { from, orWritten: { since: since.settledXid, nextXid: farFrom(nextXid) } }
    : { from: null };
}

/** Where the numbers of transactions tell which rows the last sync has seen. */
const showsWhatIsNew = (facts: CopyFacts, source: Relation, since: StateRecord): boolean =>
  showsWriters(source) &&
  facts.selected.isSteady &&
  source.oid === since.shape.oid &&
  isSameInstance(since.sourceLife, instanceOf(facts));

/**
 * Asks whether a transaction that the last sync did not see to its end has written a row of the window. Nothing
 * is asked where its numbers do not tell: another life of the server may have given them to other transactions, a partition
 * may have been attached with rows that an older one wrote, and a window that is chosen otherwise than the last one
 * may hold rows that nobody has read yet. Nor where a row can be selected that nobody has written: by the clock, or by
 * rows of another table.
 */
function quietProbe(
  facts: CopyFacts,
  { since, source }: IncrementalPlan,
  { nextXid }: RaisedFence,
  window: Window,
): Statement[] {
  if (!('settledXid' in since) || since.settledXid === null) return [];
  const isKnown =
    showsWhatIsNew(facts, source, since) &&
    isSameWay(since.readAs, readAs(facts)) &&
    window.lookbackSeconds === facts.settings.lookbackSeconds;
  return isKnown
    ? hasRowsIn(facts.sourceRows, window, isWrittenSince(since.settledXid, farFrom(nextXid)))
    : [];
}

const isSameWay = (before: ReadAs | null, now: ReadAs): boolean =>
  before !== null && before.lookbackSeconds === now.lookbackSeconds && before.nullKeys === now.nullKeys;
