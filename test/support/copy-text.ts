/** What a server prints of a table, as bytes: the ground on which both sides are compared. */
import { buffer } from 'node:stream/consumers';
import { escapeIdentifier } from 'pg';
import type { Pool } from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { Pair } from './open-pair.ts';
import type { Side } from './pair-databases.ts';

/** The settings that decide how values are printed. */
const SETTINGS = /* sql */ `
  SET LOCAL search_path = '';
  SET LOCAL TimeZone = 'UTC';
  SET LOCAL DateStyle = 'ISO';
  SET LOCAL IntervalStyle = 'postgres';
  SET LOCAL extra_float_digits = 3;
  SET LOCAL bytea_output = 'hex';
  SET LOCAL lc_monetary = 'C';
  SET LOCAL xmlbinary = 'base64'`;

/** Column names in the table's order, generated ones too. */
export async function columnsOf(
  pair: Pick<Pair, Side>,
  side: Side,
  schema: string,
  table: string,
): Promise<string[]> {
  const result = await pair[side].query<{ name: string }>(
    `SELECT attname AS name FROM pg_catalog.pg_attribute a
       JOIN pg_catalog.pg_class c ON c.oid = attrelid JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
      WHERE nspname = $1 AND relname = $2 AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [schema, table],
  );
  if (result.rows.length === 0) throw new Error(`the ${side} has no table ${schema}.${table}`);
  return result.rows.map((row) => row.name);
}

export interface CopyQuery {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly where: readonly string[];
  readonly orderBy: string | undefined;
}

export function copyQuery({ schema, table, columns, where, orderBy }: CopyQuery): string {
  const from = `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;
  const list = columns.map((column) => escapeIdentifier(column)).join(', ');
  const filter = where.map((predicate) => `(${predicate})`).join(' AND ') || 'true';
  // Not `t::text`: a column may be called t. The alias is one that no test uses.
  return `COPY (SELECT ${list} FROM (SELECT ${list} FROM ${from} WHERE ${filter}) "oracle row"
    ORDER BY ${orderBy ?? `("oracle row".*)::text COLLATE "C"`}) TO STDOUT`;
}

/** A session of its own, because a failed COPY leaves one that does not answer. */
export async function copyOut(pool: Pool, query: string): Promise<Buffer> {
  const client = await pool.connect();
  try {
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${SETTINGS}`);
    return await buffer(client.query(copyTo(query)));
  } finally {
    client.release(true);
  }
}
