/**
 * Asks whether a table has changed since its last sync. If nothing has changed, its state stays as it is, and nothing is
 * written. That is safe: a transaction that the last sync did not list began after it, so it writes above the cursor,
 * and a listed transaction is in the fences. From the same state, the next sync finds whatever was committed meanwhile.
 */
import type pg from 'pg';
import * as z from 'zod';
import { settledCursor } from '../../schema/fence-rules.ts';
import type { TableName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import type { KeyedRecord } from '../../schema/state-record.ts';
import { hasNewEntries } from '../../sql/deletion-log.ts';
import { highWaterMark } from '../../sql/fence.ts';
import { keyOrigin } from '../../sql/key-origin.ts';
import type { Statement } from '../../sql/search-path.ts';
import { logPosition } from '../facts/deletion-log.ts';
import type { TableFacts } from '../facts/facts.ts';
import { logRows } from '../compare/logged-keys.ts';
import { lostKeyWarning } from '../plan/lost-key.ts';
import type { IncrementalPlan } from '../plan/plan.ts';
import { nullKeyQuestion, nullKeyText } from '../write/null-keys.ts';
import { isReplaced } from '../fence/clock-shift.ts';
import {
  clockRow,
  markedRows,
  originRow,
  OWN_WRITES,
  readMark,
  type InFlight,
  type RaisedFence,
} from '../fence/fence.ts';
import { clockShiftSince, comparisonDue, fenceWarnings } from '../fence/next-state.ts';
import { hasNoRows, quietProbe, windowFrom } from '../fence/window-choice.ts';

/** Each part is one statement or none. */
export type Parts<T> = Readonly<Record<'origin' | 'mark' | 'nulls' | 'logged' | 'probe', T>>;

export interface QuietQuestion extends Parts<readonly Statement[]> {
  /** A table for `keyOrigins`, in place of an own statement. */
  readonly withoutSequence: TableName | undefined;
  readonly verdictOf: (
    answers: Parts<pg.QueryResult | undefined>,
    asked: { readonly at: Date; readonly inFlight: readonly InFlight[]; readonly origin: unknown },
  ) => QuietVerdict;
}

export type QuietVerdict = {
  /** What is known about rows without a replication key. Undefined if it was not asked. */
  readonly nullKeys?: readonly string[];
} & (
  | {
      readonly kind: 'quiet';
      /** The largest plausible key. */
      readonly high: string | null;
      readonly warnings: readonly string[];
    }
  | {
      readonly kind: 'may-have-changed';
      /** Whether a row was found that the last sync has not read. */
      readonly hasNewRows: boolean;
    }
);

/** Transactions. A row shows only the lower 32 bits of its transaction ID, so the saved ID must stay near. */
const RENEWED_AFTER = 100_000_000n;

/** Undefined if transaction IDs do not show whether the table has changed. */
export function quietQuestion(facts: TableFacts, plan: IncrementalPlan): QuietQuestion | undefined {
  const { since, source } = plan;
  if ('legacyCursor' in since || since.settledXid === null) return undefined;
  if (plan.rewritten?.code === 'destination-replaced') return undefined;
  const { settings, servers } = facts;
  const marked = markedRows(facts, plan);
  // Lower than the next window, if transactions are open. So a change is found even if one of them ends meanwhile.
  const probe = quietProbe(facts, plan, {
    replicationKey: plan.replicationKey,
    keyType: plan.keyType,
    from: settledCursor(since),
    lookbackSeconds: settings.lookbackSeconds,
    nullKeys: settings.nullKeys,
  });
  if (probe.length === 0) return undefined;
  const { table } = marked;
  const hasSequence = plan.keyType === 'integer';
  return {
    withoutSequence: hasSequence ? undefined : table,
    origin: hasSequence && table ? [keyOrigin({ ...marked, table })] : [],
    mark: [highWaterMark(marked, servers.source.timeZone)],
    nulls: nullKeyQuestion(facts.sourceRows, settings, source),
    logged: logQuestion(facts, source),
    probe,
    verdictOf: ({ origin, mark, nulls, logged, probe: found }, { at, inFlight, origin: copied }) => {
      const nullKeys = nullKeyText(settings, nulls?.rows[0]);
      const { at: sourceTime, oldestXid, nextXid } = clockRow.parse(mark?.rows[0]);
      const originFound = origin?.rows[0] ?? copied;
      const fence: RaisedFence = {
        ...readMark(plan.keyType, mark?.rows[0]),
        origin: originFound === undefined ? OWN_WRITES : originRow.parse(originFound),
        oldestXid,
        nextXid,
        sourceTime,
        fencedAt: at,
        networkSeconds: 0,
        remaining: [],
      };
      const listed = since.fences.flatMap(({ transactions }) => transactions);
      const stillOpen = inFlight.filter(({ transaction }) => listed.includes(transaction));
      const window = windowFrom(facts, plan, fence, listed);
      const isAsBefore =
        window.from === since.cursor &&
        window.orWrittenSince === undefined &&
        window.lookbackSeconds === settings.lookbackSeconds &&
        !isReplaced(since, fence, servers.source) &&
        comparisonDue(facts, plan, fence) === undefined &&
        (logged === undefined || clockShiftSince(facts, plan, fence).seconds === 0);
      const hasNewRows = !hasNoRows(found) || hasEntries(logged);
      if (!isAsBefore || isOutdated(since, nextXid, stillOpen) || hasNewRows)
        return { kind: 'may-have-changed', hasNewRows, nullKeys };
      return {
        kind: 'quiet',
        high: fence.high,
        nullKeys,
        warnings: [
          ...nullKeys,
          ...fenceWarnings(facts, { ...fence, remaining: stillOpen }),
          ...lostKeyWarning(facts, plan),
        ],
      };
    },
  };
}

/** A deletion that the last sync may not have read. */
function logQuestion(facts: TableFacts, source: Relation): Statement[] {
  const { settings } = facts;
  const position = logPosition(facts, settings);
  return settings.deletionLog && position
    ? [
        hasNewEntries(
          logRows(facts, source, settings.deletionLog, { ...settings, from: position.from }),
          position.oid,
        ),
      ]
    : [];
}

const entriesRow = z.object({ hasEntries: z.boolean() });

const hasEntries = (answer: pg.QueryResult | undefined): boolean =>
  answer !== undefined && entriesRow.parse(answer.rows[0]).hasEntries;

/** Whether a sync would make the state better: all fences have ended, or the saved transaction ID is old. */
const isOutdated = (
  { fences, settledXid }: KeyedRecord,
  nextXid: string,
  stillOpen: readonly InFlight[],
): boolean =>
  BigInt(nextXid) - BigInt(settledXid ?? '0') > RENEWED_AFTER ||
  (fences.length > 0 && stillOpen.length === 0);
