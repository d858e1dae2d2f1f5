/** The small table that most tests start from. */
import type { Pair, PairOptions, TableConfig } from './open-pair.ts';

export const ORDERS_SQL = /* sql */ `
  CREATE TABLE orders (
    id bigint PRIMARY KEY,
    total numeric(12,2),
    note text,
    updated_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX ON orders (updated_at)`;

const insertSql = (rows: number, firstId: number) => /* sql */ `
  INSERT INTO orders (id, total, note)
  SELECT id, id * 1.25, 'order ' || id FROM generate_series(${firstId}::bigint, ${firstId + rows - 1}) AS id`;

export const ORDERS_CONFIG = {
  name: 'orders',
  replication_key: 'updated_at',
  unique_cols: ['id'],
  // A table of a few rows would go by COPY otherwise; what pg_dump has to do with loads is tested by it.
  initial_load: 'pg_dump',
} as const satisfies TableConfig;

/** What `freshPair('orders')` stands for: ids 1 to 10. */
export const ordersPreset: PairOptions = {
  tables: [ORDERS_CONFIG],
  sourceSql: `${ORDERS_SQL}; ${insertSql(10, 1)}`,
};

/** Adds `rows` orders above the largest id. */
export async function insertOrders(pair: Pair, rows: number): Promise<void> {
  const schema = `SET LOCAL search_path = "${pair.schema.replaceAll('"', '""')}"`;
  const result = await pair.source.query<{ next: string }>(
    `SELECT coalesce(max(id), 0) + 1 AS next FROM "${pair.schema.replaceAll('"', '""')}".orders`,
  );
  // Several statements in one query are one transaction.
  await pair.source.query(`${schema}; ${insertSql(rows, Number(result.rows[0]?.next))}`);
}
