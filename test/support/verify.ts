/** `increp verify --json`, with its tables read. */
import { increp } from './increp.ts';
import type { Pair, PairOptions } from './pair.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from './shop.ts';

export interface TableVerdict {
  readonly status: 'equal' | 'different' | 'failed';
  readonly error?: { readonly code: string };
  readonly [field: string]: unknown;
}

export async function verify(pair: Pair, args = '') {
  const result = await increp(`verify --json ${args}`, pair);
  const { tables } = result.json<{ tables: TableVerdict[] }>();
  return { exitCode: result.exitCode, table: tables[0], tables };
}

export const NONE = { missing: 0, extra: 0, changed: 0, duplicated: 0 };

export const EQUAL = { exitCode: 0, table: { status: 'equal', ...NONE } };

/** Keys that lie well below the cursor, so that no window of a sync would read them again. */
export const oldOrders = (rows: number, more: object = {}): PairOptions => ({
  tables: [{ ...ORDERS_CONFIG, ...more }],
  sourceSql: `${ORDERS_SQL}; INSERT INTO orders
    SELECT i, 1.0, CASE WHEN i % 7 = 0 THEN NULL WHEN i % 7 = 1 THEN '' ELSE 'order ' || i END,
      now() - (${rows} - i) * interval '1 hour' FROM generate_series(1, ${rows}) i`,
});
