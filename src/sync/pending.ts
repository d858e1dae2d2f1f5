/** Which rows of the source are only newer than the copy: no difference, because the next sync brings them. */
import type pg from 'pg';
import { z } from 'zod';
import { settledCursor } from '../schema/fences.ts';
import { hasSystemColumns, type Relation } from '../schema/relations.ts';
import type { SourceLife, StateRecord } from '../schema/state-record.ts';
import { isWrittenSince, TRANSACTION_NUMBERS } from '../sql/compare.ts';
import { windowCondition } from '../sql/window.ts';
import type { TableFacts } from './facts.ts';
import { lifeOf } from './transfer.ts';

/**
 * SQL predicate: in the window of the next sync, and written since the mark of the last one was read. By the window
 * alone, damage to the newest rows would pass for what is still to come. Only where the numbers of transactions
 * cannot be read (a view, a grant on columns, another server) does the window decide.
 */
export async function pendingAtSource(
  source: pg.ClientBase,
  facts: TableFacts,
  relation: Relation,
  record: StateRecord,
): Promise<string> {
  const { replicationKey, lookbackSeconds, nullKeys } = facts.settings;
  const inWindow = windowCondition({
    replicationKey,
    keyType: record.keyType,
    from: settledCursor(record),
    lookbackSeconds,
    nullKeys,
  });
  const { settledXid } = record;
  if (settledXid === null || !hasNumbers(relation) || !countsOn(record.sourceLife, lifeOf(facts)))
    return inWindow;
  const { rows } = await source.query(TRANSACTION_NUMBERS, [relation.oid]);
  const { mayRead, nextXid } = z.object({ mayRead: z.boolean(), nextXid: z.string() }).parse(rows[0]);
  return mayRead ? `(${inWindow}) AND ${isWrittenSince(settledXid, nextXid)}` : inWindow;
}

const hasNumbers = (relation: Relation): boolean =>
  hasSystemColumns(relation) && relation.kind !== 'materialized view';

/** A restart goes on counting transactions where it was; a promoted standby may count some of them again. */
export const countsOn = (before: SourceLife, now: SourceLife): boolean =>
  before.startedAt === now.startedAt ||
  (now.systemIdentifier !== null &&
    before.systemIdentifier === now.systemIdentifier &&
    before.timeline === now.timeline);
