/** The order of the tables when a run may not have time for all of them. */
import { z } from 'zod';
import { readAttempts } from '../../sql/history.ts';
import type { Facts, TableFacts } from '../facts/facts.ts';
import type { RunContext } from '../context/run-context.ts';

/**
 * Without a time limit, the order of the configuration. With a time limit, the table with the oldest attempt comes first.
 * Otherwise a time limit that is always too short would defer the same tables each time. Failed attempts count as well:
 * otherwise a table that always fails, or a load of many hours in chunks, would use up the time of every run.
 */
export async function inTableOrder(context: RunContext, facts: Facts): Promise<readonly TableFacts[]> {
  if (!context.timeLimit.isLimited) return facts.tables;
  return byTableOrder(facts.tables, await lastAttempts(context, facts));
}

/** `attempts`: milliseconds since 1970, by `recordName`. Tables with equal times stay in the order of the configuration. */
export const byTableOrder = (
  tables: readonly TableFacts[],
  attempts: ReadonlyMap<string, number>,
): readonly TableFacts[] => {
  const lastOf = (table: TableFacts): number =>
    Math.max(attempts.get(table.recordName) ?? -Infinity, savedAt(table), stoppedAt(table));
  return tables.toSorted((one, other) => difference(lastOf(one), lastOf(other)));
};

/** Equal infinities need this comparison, because Infinity - Infinity is NaN. */
const difference = (one: number, other: number): number => (one === other ? 0 : one - other);

const savedAt = ({ saved }: TableFacts): number =>
  saved.kind === 'record' ? Date.parse(saved.record.syncedAt) : -Infinity;

/** The history has no entry for a load that a time limit stopped. */
const stoppedAt = ({ pendingLoad }: TableFacts): number => pendingLoad?.lastAt.getTime() ?? -Infinity;

const attemptRow = z.object({ table: z.string(), at: z.date().nullable() });

async function lastAttempts(
  { destination, settings }: RunContext,
  facts: Facts,
): Promise<Map<string, number>> {
  const { schema } = settings.destination;
  // The table is missing before the first run, and the first run has no history.
  if (facts.schemas.get(schema)?.hasRunsTable !== true) return new Map();
  const names = facts.tables.map(({ recordName }) => recordName);
  const { rows } = await destination.withReading((client) =>
    client.query(readAttempts(schema), [names, settings.pipeline]),
  );
  return new Map(
    z
      .array(attemptRow)
      .parse(rows)
      .flatMap(({ table, at }) => (at ? [[table, at.getTime()]] : [])),
  );
}
