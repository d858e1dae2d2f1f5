/** Equal means: both servers print the same bytes. `=` would call 1.0 and 1.00 equal and cannot compare json. */
import { buffer } from 'node:stream/consumers';
import { escapeIdentifier } from 'pg';
import type { Pool } from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { expect } from 'vitest';
import type { Pair, Side } from './pair.ts';

export interface SameRowsOptions {
  /** All columns of the source table unless told. */
  readonly columns?: readonly string[];
  readonly destinationTable?: string;
  /** SQL; by the text of all columns unless told. */
  readonly orderBy?: string;
  /** SQL predicate, used on both sides. */
  readonly where?: string;
  /** SQL predicate for the source only, for rows that are not to arrive. */
  readonly sourceWhere?: string;
  /** Schema at the destination; that of the source unless told. */
  readonly destinationSchema?: string;
}

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

export async function expectSameRows(
  pair: Pair,
  table: string,
  options: SameRowsOptions = {},
): Promise<void> {
  const columns = options.columns ?? (await columnsOf(pair, 'source', pair.schema, table));
  const sourceFilter = [options.where, options.sourceWhere].filter((text) => text !== undefined);
  const [source, destination] = await Promise.all([
    copyOut(
      pair.source,
      copyQuery({ schema: pair.schema, table, columns, where: sourceFilter, orderBy: options.orderBy }),
    ),
    copyOut(
      pair.destination,
      copyQuery({
        schema: options.destinationSchema ?? pair.schema,
        table: options.destinationTable ?? table,
        columns,
        where: options.where === undefined ? [] : [options.where],
        orderBy: options.orderBy,
      }),
    ),
  ]);
  const isEqual = source.equals(destination);
  if (!isEqual) expect.fail(describeDifference(table, source, destination));
  expect(isEqual).toBe(true);
}

/** Column names in the table's order, generated ones too. */
export async function columnsOf(pair: Pair, side: Side, schema: string, table: string): Promise<string[]> {
  const result = await pair[side].query<{ name: string }>(
    `SELECT attname AS name FROM pg_catalog.pg_attribute a
       JOIN pg_catalog.pg_class c ON c.oid = attrelid JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
      WHERE nspname = $1 AND relname = $2 AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [schema, table],
  );
  if (result.rows.length === 0) throw new Error(`the ${side} has no table ${schema}.${table}`);
  return result.rows.map((row) => row.name);
}

interface CopyQuery {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly where: readonly string[];
  readonly orderBy: string | undefined;
}

function copyQuery({ schema, table, columns, where, orderBy }: CopyQuery): string {
  const from = `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;
  const list = columns.map((column) => escapeIdentifier(column)).join(', ');
  const filter = where.map((predicate) => `(${predicate})`).join(' AND ') || 'true';
  // Not `t::text`: a column may be called t. The alias is one that no test uses.
  return `COPY (SELECT ${list} FROM (SELECT ${list} FROM ${from} WHERE ${filter}) "oracle row"
    ORDER BY ${orderBy ?? `("oracle row".*)::text COLLATE "C"`}) TO STDOUT`;
}

/** A session of its own, because a failed COPY leaves one that does not answer. */
async function copyOut(pool: Pool, query: string): Promise<Buffer> {
  const client = await pool.connect();
  try {
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${SETTINGS}`);
    return await buffer(client.query(copyTo(query)));
  } finally {
    client.release(true);
  }
}

/** The lines that only one side has, the first few of each. */
function describeDifference(table: string, source: Buffer, destination: Buffer): string {
  const [left, right] = [linesOf(source), linesOf(destination)];
  const onlySource = missingFrom(left, right);
  const onlyDestination = missingFrom(right, left);
  const isOrder =
    onlySource.length + onlyDestination.length === 0 ? ['  (the same rows in another order)'] : [];
  return [
    `${table}: ${left.length} rows at the source, ${right.length} at the destination`,
    ...isOrder,
    ...sample('only at the source', onlySource),
    ...sample('only at the destination', onlyDestination),
  ].join('\n');
}

// latin1 keeps every byte apart, and makes lines comparable.
const linesOf = (copy: Buffer) => copy.toString('latin1').split('\n').slice(0, -1);

function missingFrom(lines: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}

const SHOWN = 5;

const sample = (title: string, lines: readonly string[]) => [
  ...(lines.length > 0 ? [`  ${title}: ${lines.length}`] : []),
  ...lines.slice(0, SHOWN).map((line) => `    ${Buffer.from(line, 'latin1').toString('utf8').slice(0, 300)}`),
];
