/** Asks how many rows of the source no sync has read yet. */
import * as z from 'zod';
import type { WaitingRows } from '../../events.ts';
import type pg from 'pg';
import { windowStart } from '../../schema/fence-rules.ts';
import { isKeyed, type KeyedRecord } from '../../schema/state-record.ts';
import { isWrittenSince } from '../../sql/compare.ts';
import { countNewest } from '../../sql/estimate.ts';
import type { Statement } from '../../sql/search-path.ts';
import { isAfter, type Window } from '../../sql/window.ts';
import type { TableFacts } from '../facts/facts.ts';
import { knownBefore } from './next-state.ts';
import { isInIndex, settledBefore } from './window-choice.ts';

/** Rows that are read for a count of one table. */
export const MOST_COUNTED = 10_000;

/**
 * Undefined if the number is not known: before the first load, for a table without a replication key, and if only a scan
 * could count. A plan may refuse the table, or load it again. The rows above the cursor wait in any case.
 */
export function waitingQuestion(facts: TableFacts): Statement | undefined {
  const { saved, settings, source, sourceRows } = facts;
  if (saved.kind !== 'record' || !isKeyed(saved.record) || !source || sourceRows.inGroups) return undefined;
  const { record } = saved;
  if (record.replicationKey !== settings.replicationKey) return undefined;
  const window = windowOf(facts, record);
  if (!isInIndex(source, window)) return undefined;
  const since = settledBefore(facts, { since: record, source }, window);
  // The window overlaps with rows that were read before. Only transaction IDs tell them from those that were written since.
  const isNew = since === undefined ? keyAbove(record) : isWrittenSince(since);
  return isNew === undefined ? undefined : countNewest(sourceRows, window, { isNew, limit: MOST_COUNTED });
}

/** The largest window of the next sync: as if every transaction that the last sync left open had ended. */
const windowOf = (facts: TableFacts, record: KeyedRecord): Window => ({
  replicationKey: record.replicationKey,
  keyType: record.keyType,
  from: windowStart(knownBefore(facts, record), []),
  lookbackSeconds: facts.settings.lookbackSeconds,
  // A row without a key has no place in the order of the index.
  nullKeys: 'warn',
});

const keyAbove = ({ replicationKey, keyType, cursor }: KeyedRecord): string | undefined =>
  cursor === null ? undefined : isAfter(replicationKey, keyType, cursor);

const countedRow = z.object({ rows: z.number(), isMore: z.boolean() });

export const NOT_KNOWN = { rows: null, isMore: false } as const;

/** A statement that ran out of time has no answer. */
export function waitingIn(answer: pg.QueryResult | undefined): Omit<WaitingRows, 'table'> {
  return answer ? countedRow.parse(answer.rows[0]) : NOT_KNOWN;
}
