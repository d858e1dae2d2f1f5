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
import { isWrittenSince, MAY_READ_WRITERS } from '../../sql/compare.ts';
import { windowCondition, type Window } from '../../sql/window.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { instanceOf } from '../facts/server-instance.ts';

/**
 * SQL predicate: the row is in the window of the next sync, and was written since the mark of the last sync was read.
 * With the window alone, damage to the newest rows would count as rows to come. The window alone decides only if
 * transaction IDs cannot be read (a view, a grant on columns, another server). A table of mode full-refresh has no
 * window, so transaction IDs alone decide.
 */
export async function pendingAtSource(
  source: pg.ClientBase,
  facts: CopyFacts,
  relation: Relation,
  record: StateRecord,
): Promise<string> {
  const isWritten = await writtenSince(source, facts, relation, record);
  if (!isKeyed(record)) return isWritten ?? 'false';
  const inWindow = windowCondition(windowOf(facts, record));
  return isWritten === undefined ? inWindow : `(${inWindow}) AND ${isWritten}`;
}

/** SQL predicate: a transaction that the last sync did not see finished wrote the row. Undefined if that is unknown. */
export async function writtenSince(
  source: pg.ClientBase,
  facts: CopyFacts,
  relation: Relation,
  { settledXid, sourceLife }: StateRecord,
): Promise<string | undefined> {
  if (settledXid === null || !hasTransactionIds(relation) || !areComparable(sourceLife, instanceOf(facts)))
    return undefined;
  const { rows } = await source.query(MAY_READ_WRITERS, [relation.oid]);
  const { mayRead } = z.object({ mayRead: z.boolean() }).parse(rows[0]);
  return mayRead ? isWrittenSince(settledXid) : undefined;
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
