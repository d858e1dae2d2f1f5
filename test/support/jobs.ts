/** Pipelines of several small tables, and what a run of them prints while it continues. */
import type { PoolClient } from 'pg';
import type { SummaryJson } from '../../src/report/summary-json.ts';
import { fill, STAMP } from './chunked.ts';
import type { IncrepResult, RunningIncrep } from './increp.ts';
import type { Pair, PairOptions } from './open-pair.ts';

export const KEYED = { replication_key: 'updated_at', unique_cols: ['id'], initial_load: 'copy' };
export const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];

export const tableSql = (name: string, rows = 10) =>
  `CREATE TABLE ${name} (id bigint PRIMARY KEY, note text, ${STAMP}); ${fill(name, rows)}`;

export const shop = (names: readonly string[] = NAMES, rows = 10): PairOptions => ({
  tables: names.map((name) => ({ name, ...KEYED })),
  sourceSql: names.map((name) => tableSql(name, rows)).join('; '),
});

interface TableLine {
  readonly type: string;
  readonly name: string;
}

/** The tables of which the run has printed the result, or the plan. */
export const told = ({ stdout }: RunningIncrep, type: 'table' | 'table_planned'): string[] =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as TableLine)
    .filter((line) => line.type === type)
    .map(({ name }) => name);

export const summaryOf = async (
  running: RunningIncrep,
): Promise<IncrepResult & { readonly summary: SummaryJson }> => {
  const result = await running.wait();
  return {
    ...result,
    summary: result.lines().at(-1) as unknown as SummaryJson,
  };
};

export const touch = (pair: Pair, names: readonly string[] = NAMES) =>
  pair.source.query(
    names
      .map((name) => `UPDATE ${name} SET note = 'new', updated_at = clock_timestamp() WHERE id = 1`)
      .join('; '),
  );

/** The syncs of these tables wait until the end of it: another session has locked the row that they change. */
export async function hold(pair: Pair, ...names: string[]): Promise<AsyncDisposable> {
  const client: PoolClient = await pair.destination.connect();
  await client.query(
    ['BEGIN', ...names.map((name) => `SELECT FROM ${name} WHERE id = 1 FOR UPDATE`)].join('; '),
  );
  let isHeld = true;
  return {
    [Symbol.asyncDispose]: async () => {
      if (isHeld) await client.query('COMMIT');
      if (isHeld) client.release();
      isHeld = false;
    },
  };
}

export const letGo = (held: AsyncDisposable) => held[Symbol.asyncDispose]();
