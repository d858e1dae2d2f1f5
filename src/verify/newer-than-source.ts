/** Versions in a history that are newer than all rows of the source, as after a restore of the source. */
import type pg from 'pg';
import * as z from 'zod';
import { ask } from '../postgres/user-search-path.ts';
import { isAppend, isShared } from '../schema/row-identity.ts';
import { ident, literal, qualified } from '../sql/identifiers.ts';
import { bareItem, onRows } from '../sql/row-source.ts';
import { GREATER, onTables } from '../sql/search-path.ts';
import type { TableFacts } from '../sync/facts/facts.ts';

export interface NewerThanSource {
  readonly rows: number;
  readonly column: string;
  /** The largest replication key of the source. */
  readonly high: string;
  /** Removes these versions. */
  readonly statement: string;
}

const highRow = z.object({ high: z.string().nullable() });
const countRow = z.object({ rows: z.coerce.number() });

/** In the snapshots of the comparison. Undefined if there are none, or if other pipelines write to the table. */
export async function newerThanSource(
  { settings, sourceRows, destinationName }: TableFacts,
  source: pg.ClientBase,
  destination: pg.ClientBase,
): Promise<NewerThanSource | undefined> {
  const { replicationKey: column } = settings;
  if (!isAppend(settings) || isShared(settings) || column === undefined || sourceRows.inGroups)
    return undefined;
  const key = ident(column);
  const largest = /* sql */ `SELECT pg_catalog.max(${key})::text AS high FROM ${bareItem(sourceRows)}`;
  const { high } = highRow.parse((await ask(source, onRows(sourceRows, largest))).rows[0]);
  if (high === null) return undefined;
  const table = qualified(destinationName);
  const above = /* sql */ `SELECT pg_catalog.count(*) AS rows FROM ${table} WHERE ${key} ${GREATER} ${literal(high)}`;
  const { rows } = countRow.parse((await ask(destination, onTables(above))).rows[0]);
  return rows === 0
    ? undefined
    : { rows, column, high, statement: `DELETE FROM ${table} WHERE ${key} > ${literal(high)}` };
}
