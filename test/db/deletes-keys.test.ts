/** Keys of all types, with NULLs, changed, swapped or used again, when increp looks for deleted rows. */
import { expect, test } from 'vitest';
import { HARD, orders } from '../support/deletes.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { PairOptions, TableConfig } from '../support/pair.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const items = (columns: string, unique: readonly string[], more: object = HARD): PairOptions => ({
  tables: [{ name: 'items', replication_key: 'at', unique_cols: unique, ...more }] as TableConfig[],
  sourceSql: `CREATE TABLE items (${columns}, at timestamptz DEFAULT now())`,
});

test('keys that are changed, swapped or used again leave no ghost', async () => {
  await using pair = await freshPair(orders(HARD));
  await sync(pair);
  await pair.source.query(`UPDATE orders SET id = 101, updated_at = now() WHERE id = 1`);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, rows_deleted: 1 });
  await expectSameRows(pair, 'orders');
  await pair.source.query(`UPDATE orders SET id = -id, updated_at = now() WHERE id IN (2, 3);
    UPDATE orders SET id = CASE id WHEN -2 THEN 3 ELSE 2 END, updated_at = now() WHERE id IN (-2, -3)`);
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 2, rows_deleted: 0 });
  await expectSameRows(pair, 'orders');
  await pair.source.query(
    `DELETE FROM orders WHERE id = 4; INSERT INTO orders (id, note) VALUES (4, 'again')`,
  );
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 1, rows_deleted: 0 });
  await expectSameRows(pair, 'orders');
});

slowTest(
  'rows that came without a sign are not fetched by comparing keys, but they are told of',
  async () => {
    await using pair = await freshPair(orders(HARD));
    await pair.source.query(`UPDATE orders SET updated_at = now() - interval '1 day' WHERE id < 10;
    CREATE TABLE saved AS TABLE orders; ALTER TABLE orders ALTER updated_at DROP NOT NULL`);
    await sync(pair);
    await pair.source.query('DELETE FROM orders WHERE id = 2');
    expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 1, warnings: [] });
    // Restored as a backup had it, and written without a key.
    await pair.source.query(`INSERT INTO orders SELECT * FROM saved WHERE id = 2;
    INSERT INTO orders VALUES (50, 1, 'no key', NULL)`);
    const noKey = expect.stringMatching(/^1 row has no updated_at/);
    expect((await sync(pair)).table().warnings).toEqual([
      noKey,
      expect.stringMatching(
        /^2 rows of the source are missing in the destination table, .*"increp verify orders --repair"/,
      ),
    ]);
    expect((await increp('verify orders --repair', pair)).exitCode).toBe(0);
    await expectSameRows(pair, 'orders');
    expect((await sync(pair)).table().warnings).toEqual([noKey]);
  },
);

test('a composite key with NULLs', async () => {
  await using pair = await freshPair(items('a int, b text, n int', ['a', 'b'], { ...HARD, delete_limit: 1 }));
  await pair.source.query(`INSERT INTO items SELECT a, b, 1 FROM unnest(ARRAY[1, 2, NULL]) a,
    unnest(ARRAY['', 'x', NULL]) b`);
  await sync(pair);
  for (const gone of [
    `a IS NULL AND b = ''`,
    `a = 1 AND b IS NULL`,
    `a IS NULL AND b IS NULL`,
    `a = 2 AND b = ''`,
  ]) {
    await pair.source.query(`DELETE FROM items WHERE ${gone}`);
    expect((await sync(pair)).table(), gone).toMatchObject({
      rows_deleted: 1,
      rows_inserted: 0,
      rows_updated: 0,
    });
    await expectSameRows(pair, 'items');
  }
});

/** Values of a key's type, of which the second is deleted. */
const KEYS: readonly (readonly [type: string, setup: string, values: readonly string[]])[] = [
  ['text', '', [`''`, `'a "b" \\ ,{}'`, `E'tab\\tnew\\nline'`, `'é'`, `U&'e\\0301'`]],
  ['char(5)', '', [`'a'`, `'b  '`, `''`]],
  ['uuid', '', [`'00000000-0000-0000-0000-000000000001'`, `'00000000-0000-0000-0000-00000000000A'`]],
  ['mood', `CREATE TYPE mood AS ENUM ('ok', 'not "ok"', '')`, [`'ok'`, `'not "ok"'`, `''`]],
  ['bytea', '', [`'\\x00'`, `'\\xff00'`, `''`]],
  ['numeric', '', ['1', '2.50', `'NaN'`]],
  ['float8', '', ['0.1', '1e300', `'-Infinity'`]],
  ['date', '', [`'2026-01-01'`, `'infinity'`, `'0044-03-15 BC'`]],
  ['timestamptz', '', [`'2026-01-01 12:00:00.000001+02'`, `'2026-01-01 12:00:00.000002+02'`]],
  ['interval', '', [`'1 day'`, `'-1 mon +2 days'`]],
  ['int[]', '', [`'{}'`, `'{1,NULL}'`, `'{{1},{2}}'`]],
  ['inet', '', [`'10.0.0.1'`, `'10.0.0.1/8'`]],
  ['boolean', '', ['true', 'false']],
  ['jsonb', '', [`'{"a": "\\" "}'`, `'null'`]],
];

slowTest('keys of every kind of type', async () => {
  const name = (place: number) => `items_${place}`;
  const rowsOf = (values: readonly string[]) => values.map((value) => `(${value})`).join(', ');
  await using pair = await freshPair({
    tables: KEYS.map((_, place) => ({
      name: name(place),
      replication_key: 'at',
      unique_cols: ['k'],
      ...HARD,
    })),
    sourceSql: KEYS.map(
      ([type, setup, values], place) => `${setup};
        CREATE TABLE ${name(place)} (k ${type} PRIMARY KEY, at timestamptz DEFAULT now());
        INSERT INTO ${name(place)} VALUES ${rowsOf(values)}`,
    ).join('; '),
  });
  await sync(pair);
  for (const [place, [, , values]] of KEYS.entries()) {
    await pair.source.query(`DELETE FROM ${name(place)} WHERE k = ${values[1]}`);
  }
  const result = await sync(pair);
  for (const [place, [type]] of KEYS.entries()) {
    const counts = { rows_deleted: 1, rows_inserted: 0, rows_updated: 0, warnings: [] };
    expect(result.table(name(place)), type).toMatchObject(counts);
    await expectSameRows(pair, name(place));
  }
});
