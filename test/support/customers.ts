/** A table of customers, part of whose rows and columns are selected. */
import { expect } from 'vitest';
import { copyOut } from './copy-text.ts';
import type { Pair, PairOptions } from './pair.ts';

export const CUSTOMERS = /* sql */ `
  CREATE TABLE customers (
    id bigint PRIMARY KEY,
    email varchar(80),
    phone text,
    status text NOT NULL DEFAULT 'active',
    password_hash text,
    updated_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX ON customers (updated_at);
  INSERT INTO customers
    SELECT i, 'Person' || i || '@Example.com', '+1 555 ' || i, CASE WHEN i % 3 = 0 THEN 'closed' ELSE 'active' END,
      'hash-of-' || i, now() - (200 - i) * interval '1 hour' FROM generate_series(1, 100) i`;

export const selecting = (change: object): PairOptions => ({
  tables: [
    {
      name: 'customers',
      replication_key: 'updated_at',
      unique_cols: ['id'],
      initial_load: 'copy',
      ...change,
    },
  ],
  sourceSql: CUSTOMERS,
});

/** The rows of the copy are those of this SELECT, byte for byte. */
export async function expectCopyOf(
  pair: Pair,
  select: string,
  copy = 'SELECT * FROM public.customers',
): Promise<void> {
  const [wanted, found] = await Promise.all([
    copyOut(pair.source, `COPY (SELECT * FROM (${select}) s ORDER BY 1) TO STDOUT`),
    copyOut(pair.destination, `COPY (SELECT * FROM (${copy}) d ORDER BY 1) TO STDOUT`),
  ]);
  expect(found.toString()).toBe(wanted.toString());
  expect(wanted.length).toBeGreaterThan(0);
}

export const touch = (pair: Pair, set: string, where: string) =>
  pair.source.query(`UPDATE customers SET ${set}, updated_at = now() WHERE ${where}`);
