/** The order of the tables when a run may not have time for all of them. */
import * as z from 'zod';
import { readAttempts } from '../../sql/history.ts';
import type { Facts } from '../facts/facts.ts';
import type { RunContext } from '../context/run-context.ts';
import type { TableOutline } from './table-outline.ts';

/**
 * Without a time limit, the order of the configuration. With a time limit, the table with the oldest attempt comes first.
 * Otherwise a time limit that is always too short would defer the same tables each time. Failed attempts count as well:
 * otherwise a table that always fails, or a load of many hours in chunks, would use up the time of every run.
 */
export async function inTableOrder(
  context: RunContext,
  tables: readonly TableOutline[],
  schemas: Facts['schemas'],
): Promise<readonly TableOutline[]> {
  if (!context.timeLimit.isLimited) return tables;
  return byTableOrder(tables, await lastAttempts(context, tables, schemas));
}

/** `attempts`: milliseconds since 1970, by `recordName`. Tables with equal times stay in the order of the configuration. */
export const byTableOrder = <T extends Pick<TableOutline, 'recordName' | 'lastAt'>>(
  tables: readonly T[],
  attempts: ReadonlyMap<string, number>,
): readonly T[] => {
  const lastOf = ({ recordName, lastAt }: T): number =>
    Math.max(attempts.get(recordName) ?? -Infinity, lastAt);
  return tables.toSorted((one, other) => difference(lastOf(one), lastOf(other)));
};

/** Equal infinities need this comparison, because Infinity - Infinity is NaN. */
const difference = (one: number, other: number): number => (one === other ? 0 : one - other);

const attemptRow = z.object({ table: z.string(), at: z.date().nullable() });

async function lastAttempts(
  { destination, settings }: RunContext,
  tables: readonly TableOutline[],
  schemas: Facts['schemas'],
): Promise<Map<string, number>> {
  const { schema } = settings.destination;
  // The table is missing before the first run, and the first run has no history.
  if (schemas.get(schema)?.hasRunsTable !== true) return new Map();
  const names = tables.map(({ recordName }) => recordName);
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
