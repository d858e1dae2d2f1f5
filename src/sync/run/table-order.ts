/** Whose turn it is when there may not be time for all tables. */
import { z } from 'zod';
import { readAttempts } from '../../sql/history.ts';
import type { Facts, TableFacts } from '../facts/facts.ts';
import type { RunContext } from '../context/run-context.ts';

/**
 * Without a time limit as they are configured. Else those first that no run has been at for longest: with a box that is
 * always too short the same ones would be left each time. What was tried counts, whether it came to something or not,
 * else one table that always fails, or a load of many hours in chunks, would take all the time there is.
 */
export async function inTableOrder(context: RunContext, facts: Facts): Promise<readonly TableFacts[]> {
  if (!context.timeLimit.isLimited) return facts.tables;
  return byTableOrder(facts.tables, await lastAttempts(context, facts));
}

/** `attempts`: milliseconds since 1970, by the name of the copy. The order of the configuration decides between equals. */
export const byTableOrder = (
  tables: readonly TableFacts[],
  attempts: ReadonlyMap<string, number>,
): readonly TableFacts[] => {
  const lastOf = (table: TableFacts): number =>
    Math.max(attempts.get(table.copyName) ?? -Infinity, savedAt(table), stoppedAt(table));
  return tables.toSorted((one, other) => difference(lastOf(one), lastOf(other)));
};

/** Infinity less itself would be no number. */
const difference = (one: number, other: number): number => (one === other ? 0 : one - other);

const savedAt = ({ saved }: TableFacts): number =>
  saved.kind === 'record' ? Date.parse(saved.record.syncedAt) : -Infinity;

/** A load that a time limit has stopped is in no history. */
const stoppedAt = ({ pendingLoad }: TableFacts): number => pendingLoad?.lastAt.getTime() ?? -Infinity;

const attemptRow = z.object({ table: z.string(), at: z.date().nullable() });

async function lastAttempts(
  { destination, settings }: RunContext,
  facts: Facts,
): Promise<Map<string, number>> {
  const { schema } = settings.destination;
  // Nothing can be known before the first run, which has made the table only now.
  if (facts.schemas.get(schema)?.hasRunsTable !== true) return new Map();
  const names = facts.tables.map(({ copyName }) => copyName);
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
