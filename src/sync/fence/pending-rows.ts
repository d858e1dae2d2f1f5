/** Which rows of the source are only newer than the copy: no difference, because the next sync brings them. */
import type pg from 'pg';
import { z } from 'zod';
import { settledCursor } from '../../schema/fences.ts';
import { hasSystemColumns, type Relation } from '../../schema/relations.ts';
import {
  isKeyed,
  type KeyedRecord,
  type ServerInstance,
  type StateRecord,
} from '../../schema/state-record.ts';
import { isWrittenSince, TRANSACTION_NUMBERS } from '../../sql/compare.ts';
import { windowCondition, type Window } from '../../sql/window.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { instanceOf } from '../facts/server-instance.ts';

/**
 * SQL predicate: in the window of the next sync, and written since the mark of the last one was read. By the window
 * alone, damage to the newest rows would pass for what is still to come. Only where the numbers of transactions
 * cannot be read (a view, a grant on columns, another server) does the window decide. A table that is loaded again each
 * time has no window: there the numbers alone tell.
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

/** SQL predicate: by a transaction that the last sync did not see to its end. Undefined where numbers do not tell. */
export async function writtenSince(
  source: pg.ClientBase,
  facts: CopyFacts,
  relation: Relation,
  { settledXid, sourceLife }: StateRecord,
): Promise<string | undefined> {
  if (settledXid === null || !hasNumbers(relation) || !countsOn(sourceLife, instanceOf(facts)))
    return undefined;
  const { rows } = await source.query(TRANSACTION_NUMBERS, [relation.oid]);
  const { mayRead, nextXid } = z.object({ mayRead: z.boolean(), nextXid: z.string() }).parse(rows[0]);
  return mayRead ? isWrittenSince(settledXid, nextXid) : undefined;
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

/** Whether our role may read which transaction wrote each of its rows. */
export const hasNumbers = (relation: Relation): boolean =>
  hasSystemColumns(relation) && relation.kind !== 'materialized view';

/** A restart goes on counting transactions where it was; a promoted standby may count some of them again. */
export const countsOn = (before: ServerInstance, now: ServerInstance): boolean =>
  before.startedAt === now.startedAt ||
  (now.systemIdentifier !== null &&
    before.systemIdentifier === now.systemIdentifier &&
    before.timeline === now.timeline);
