/** Source rows that are newer than the last sync. `verify` does not report them, because the next sync reads them. */
import type pg from 'pg';
import * as z from 'zod';
import { settledCursor } from '../../schema/fence-rules.ts';
import { hasSystemColumns, type Relation } from '../../schema/relations.ts';
import {
  isKeyed,
  type KeyedRecord,
  type ServerInstance,
  type StateRecord,
} from '../../schema/state-record.ts';
import { isWrittenSince, mayReadWriters } from '../../sql/compare.ts';
import { windowCondition, type Window } from '../../sql/window.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { instanceOf } from '../facts/server-instance.ts';

/**
 * SQL predicate: the row is in the window of the next sync, and was written since the mark of the last sync was read.
 * With the window alone, damage to the newest rows would count as rows to come. The window alone decides only if
 * transaction IDs cannot be read (a view, a grant on columns, another server). A table of mode full-refresh has no
 * window, so transaction IDs alone decide.
 */
export function pendingAtSource(
  facts: CopyFacts,
  record: StateRecord,
  /** The answer to `writersQuestion`. Undefined if there is no question. */
  answer: pg.QueryResult | undefined,
): string {
  const isWritten = answer && writtenIf(record, answer);
  if (!isKeyed(record)) return isWritten ?? 'false';
  const inWindow = windowCondition(windowOf(facts, record));
  return isWritten === undefined ? inWindow : `(${inWindow}) AND ${isWritten}`;
}

/** Asks whether transaction IDs can be read. No question if they would tell nothing. */
export const writersQuestion = (
  facts: CopyFacts,
  relation: Relation,
  { settledXid, sourceLife }: StateRecord,
): readonly string[] =>
  settledXid === null || !hasTransactionIds(relation) || !areComparable(sourceLife, instanceOf(facts))
    ? []
    : [mayReadWriters(relation.oid)];

const mayReadRow = z.object({ mayRead: z.boolean() });

const writtenIf = ({ settledXid }: StateRecord, { rows }: pg.QueryResult): string | undefined =>
  settledXid !== null && mayReadRow.parse(rows[0]).mayRead ? isWrittenSince(settledXid) : undefined;

/** SQL predicate: a transaction that the last sync did not see finished wrote the row. Undefined if that is unknown. */
export async function writtenSince(
  source: pg.ClientBase,
  facts: CopyFacts,
  relation: Relation,
  record: StateRecord,
): Promise<string | undefined> {
  const [question] = writersQuestion(facts, relation, record);
  return question === undefined ? undefined : writtenIf(record, await source.query(question));
}

const windowOf = (
  { settings: { lookbackSeconds, nullKeys } }: CopyFacts,
  { replicationKey, keyType, ...record }: KeyedRecord,
): Window => ({
  replicationKey,
  keyType,
  from: settledCursor({ keyType, ...record }),
  lookbackSeconds,
  nullKeys,
});

/** Whether the role of increp may read the transaction ID (xmin) of each row. */
export const hasTransactionIds = (relation: Relation): boolean =>
  hasSystemColumns(relation) && relation.kind !== 'materialized view';

/**
 * A restarted server continues its transaction IDs, but after a crash it may assign the last ones again. A promoted standby
 * may do so, too. That is enough for the report of `verify`; a sync compares IDs only within one server instance.
 */
const areComparable = (before: ServerInstance, now: ServerInstance): boolean =>
  before.startedAt === now.startedAt ||
  (now.systemIdentifier !== null &&
    before.systemIdentifier === now.systemIdentifier &&
    before.timeline === now.timeline);
