/** `columns`, `exclude_columns`, `where` and `transform`: the copy is what the same SELECT gives at the source. */
import { expect, test } from 'vitest';
import { copyOut } from '../support/copy-text.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';

const CUSTOMERS = /* sql */ `
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
async function expectCopyOf(
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

const change = (pair: Pair, set: string, where: string) =>
  pair.source.query(`UPDATE customers SET ${set}, updated_at = now() WHERE ${where}`);

const SELECTIONS: readonly (readonly [title: string, change: object, select: string])[] = [
  [
    'columns',
    { columns: ['updated_at', 'id', 'email'] },
    'SELECT id, email, updated_at FROM public.customers',
  ],
  [
    'exclude_columns',
    { exclude_columns: ['password_hash', 'phone'] },
    'SELECT id, email, status, updated_at FROM public.customers',
  ],
  ['where', { where: "status = 'active'" }, "SELECT * FROM public.customers WHERE status = 'active'"],
  [
    'transform',
    { transform: { email: 'lower(email)', phone: 'NULL' } },
    'SELECT id, lower(email), NULL, status, password_hash, updated_at FROM public.customers',
  ],
  [
    'all together, with a column that the table does not have',
    {
      columns: ['id', 'email', 'domain', 'updated_at'],
      where: 'id <= 50 -- the first ones',
      transform: { email: 'md5(email)', domain: "split_part(email, '@', 2)" },
    },
    `SELECT id, md5(email), updated_at, split_part(email, '@', 2) FROM public.customers WHERE id <= 50`,
  ],
];

test.each(SELECTIONS)('%s', async (_title, selection, select) => {
  await using pair = await freshPair(selecting(selection));
  await sync(pair);
  await expectCopyOf(pair, select);
  await change(pair, "email = 'New' || id || '@Example.org'", 'id IN (1, 2, 40, 99)');
  await pair.source.query(`INSERT INTO customers (id, email) VALUES (0, 'Zero@example.com'), (500, NULL)`);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
  await expectCopyOf(pair, select);
  expect((await increp('verify', pair)).stdout).toContain('equal');
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 0 });
});

test('SQL that means nothing is refused before anything is touched', async () => {
  await using pair = await freshPair(selecting({ where: 'statu = 1' }));
  const { summary } = await trySync(pair);
  expect(summary.tables[0]?.error).toMatchObject({ code: 'SQL_INVALID' });
});
