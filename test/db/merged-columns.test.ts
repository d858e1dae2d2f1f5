/** `merge`: columns of existing rows get a value from both sides, each version of a source row once. */
import { describe, expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { oppositeOf } from '../support/opposite.ts';
import { freshPair } from '../support/pair.ts';
import { freshSeveral } from '../support/several.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const STOCK = /* sql */ `
  CREATE TABLE stock (
    id int PRIMARY KEY, quantity int NOT NULL, seen timestamptz, code varchar(5), note text,
    updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON stock (updated_at);
  INSERT INTO stock SELECT i, i * 10, '2026-01-01', 'new', 'note ' || i FROM generate_series(1, 5) i`;

const MERGE = {
  quantity: 'source.quantity + destination.quantity',
  seen: 'greatest(source.seen, destination.seen)',
};

const STOCK_CONFIG = {
  name: 'stock',
  replication_key: 'updated_at',
  unique_cols: ['id'],
  merge: MERGE,
  initial_load: 'copy',
};

const merging = (change: object = {}): PairOptions => ({
  tables: [{ ...STOCK_CONFIG, ...change }],
  sourceSql: STOCK,
});

const stock = async (pair: Pair, columns = 'id, quantity, note', table = 'stock') =>
  (await pair.destination.query<Record<string, unknown>>(`SELECT ${columns} FROM ${table} ORDER BY 1`)).rows;

const quantities = async (pair: Pair) => (await stock(pair)).map(({ quantity }) => quantity);

/** So that the next sync reads the table. */
const touch = (pair: Pair) => pair.source.query('UPDATE stock SET note = note');

const change = (pair: Pair, set: string, where = 'id = 1') =>
  pair.source.query(`UPDATE stock SET ${set}, updated_at = now() WHERE ${where}`);

test('a new version of a row is merged once, whatever is read again', async () => {
  await using pair = await freshPair(merging({ lookback: '10000d' }));
  await sync(pair);
  expect(await quantities(pair)).toEqual([10, 20, 30, 40, 50]);
  await pair.destination.query(`UPDATE stock SET quantity = quantity - 3, note = 'ours' WHERE id <= 2`);
  await touch(pair);
  // The source wins as always, but each version was merged before.
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 2 });
  expect(await quantities(pair)).toEqual([7, 17, 30, 40, 50]);
  await change(pair, `quantity = 100, seen = '2025-01-01', note = 'more'`);
  for (let again = 0; again < 3; again += 1) {
    await sync(pair);
    await touch(pair);
  }
  expect(await stock(pair, 'id, quantity, seen::date::text, note')).toEqual([
    { id: 1, quantity: 107, seen: '2026-01-01', note: 'more' },
    { id: 2, quantity: 17, seen: '2026-01-01', note: 'note 2' },
    ...[3, 4, 5].map((id) => ({ id, quantity: id * 10, seen: '2026-01-01', note: `note ${id}` })),
  ]);
});

test('a row that the destination had first is merged when the source brings it', async () => {
  await using pair = await freshPair(merging());
  await sync(pair);
  await pair.destination.query(`INSERT INTO stock VALUES (6, 3, '2027-01-01', 'own', 'ours', now())`);
  await pair.source.query(`INSERT INTO stock VALUES (6, 4, '2026-06-01', 'new', 'theirs')`);
  await sync(pair);
  await touch(pair);
  await sync(pair);
  expect((await stock(pair, 'id, quantity, seen::date::text, note')).at(-1)).toEqual({
    ...{ id: 6, quantity: 7, seen: '2027-01-01', note: 'theirs' },
  });
});

test('with last_update_wins, a newer row keeps its other columns', async () => {
  await using pair = await freshPair(merging({ on_conflict: 'last_update_wins' }));
  await sync(pair);
  await pair.destination.query(
    `UPDATE stock SET quantity = 1, note = 'newer', updated_at = now() + interval '1 day' WHERE id = 1`,
  );
  await change(pair, `quantity = 5, note = 'older'`, 'id <= 2');
  expect((await sync(pair)).table()).toMatchObject({ rows_newer: 1, rows_updated: 2 });
  await touch(pair);
  await sync(pair);
  expect((await stock(pair)).slice(0, 2)).toEqual([
    { id: 1, quantity: 6, note: 'newer' },
    { id: 2, quantity: 25, note: 'older' },
  ]);
});

describe('a load of the whole table', () => {
  const LOADS: readonly (readonly [title: string, change: object, args: string, before: string])[] = [
    ['a full refresh', {}, '--full-refresh', ''],
    ['a full refresh in chunks', { chunk: '2 rows', load_jobs: 2 }, '--full-refresh --verify', ''],
    ['a full refresh by pg_dump', { initial_load: 'pg_dump' }, '--full-refresh', ''],
    ['a reset by a new column', {}, '--verify', 'ALTER TABLE stock ADD more int DEFAULT 7'],
    ['evolve', { on_schema_change: 'evolve' }, '', 'ALTER TABLE stock ADD more int DEFAULT 7'],
  ];

  test.each(oneIn(6, LOADS))(
    '%s keeps merged values, and merges new versions once',
    async (_, options, args, before) => {
      await using pair = await freshPair(merging(options));
      await sync(pair);
      await change(pair, 'quantity = 100');
      await sync(pair);
      await pair.destination.query(
        `UPDATE stock SET quantity = quantity + 1, updated_at = now() WHERE id <= 2`,
      );
      await pair.destination.query(`INSERT INTO stock VALUES (60, 1, NULL, 'own', 'ours', now())`);
      await change(pair, 'quantity = 1000', 'id = 3');
      await pair.source.query(before);
      await sync(pair, args);
      await sync(pair, '--full-refresh');
      expect(await quantities(pair)).toEqual([111, 21, 1030, 40, 50, 1]);
      if (before !== '') expect((await stock(pair, 'id, more'))[3]).toEqual({ id: 4, more: 7 });
    },
  );

  test('a reset keeps them, too', async () => {
    await using pair = await freshPair(merging());
    await sync(pair);
    await change(pair, 'quantity = 100');
    await sync(pair);
    await increp('reset stock', pair);
    await change(pair, 'quantity = 100', 'id = 2');
    expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_inserted: 0 });
    expect(await quantities(pair)).toEqual([110, 120, 30, 40, 50]);
  });
});

test('names of the source, transforms, native types and columns that users added', async () => {
  const named = {
    rename: { quantity: 'in stock', id: 'key', updated_at: 'changed' },
    transform: { quantity: 'quantity * 2' },
    types: 'native',
  };
  const mood = 'CASE WHEN source.mood > destination.mood THEN source.mood ELSE destination.mood END';
  await using pair = await freshPair({
    ...merging({ ...named, merge: { mood } }),
    sourceSql: `CREATE TYPE mood AS ENUM ('sad', 'happy'); ${STOCK}; ALTER TABLE stock ADD mood mood DEFAULT 'sad'`,
  });
  await sync(pair);
  await pair.destination.query(`ALTER TABLE stock ADD bonus int`);
  const quantity = 'source.quantity + destination."in stock" + coalesce(destination.bonus, 0)';
  await pair.writeTables([{ ...STOCK_CONFIG, ...named, merge: { mood, quantity } }]);
  await pair.destination.query(`UPDATE stock SET "in stock" = 3, mood = 'happy', bonus = 100 WHERE key = 1`);
  await change(pair, 'quantity = 4');
  await sync(pair);
  expect((await stock(pair, 'key, "in stock", mood'))[0]).toEqual({ key: 1, 'in stock': 111, mood: 'happy' });
});

slowTest('verify leaves merged columns out and says so; a repair keeps them', async () => {
  await using pair = await freshPair(merging());
  await sync(pair);
  await change(pair, 'quantity = 100');
  await sync(pair);
  const verified = await increp('verify', pair);
  expect(verified.exitCode).toBe(0);
  expect(verified.stdout).toContain('not compared: 2 merged columns (quantity, seen)');
  await pair.destination.query(
    `UPDATE stock SET note = 'spoilt' WHERE id <= 2; DELETE FROM stock WHERE id = 3`,
  );
  expect((await increp('verify', pair)).exitCode).toBe(2);
  const json = (await increp('verify --repair --json', pair)).json<{ tables: object[] }>();
  expect(json.tables[0]).toMatchObject({ status: 'equal', merged_columns: ['quantity', 'seen'] });
  expect(await stock(pair)).toMatchObject([
    { quantity: 110, note: 'note 1' },
    { quantity: 20, note: 'note 2' },
    { quantity: 30 },
    {},
    {},
  ]);
});

describe('an expression that the destination refuses', () => {
  const REFUSED: readonly (readonly [expression: string, message: string])[] = [
    ['source.quantity + destination.amount', 'column destination.amount does not exist'],
    ['quantity + 1', 'column reference "quantity" is ambiguous'],
    ['source.quantity + random()', 'calls a volatile function'],
    [`source.quantity + destination.quantity || ' pieces'`, 'is of type integer but the expression'],
    ['sum(source.quantity)', 'aggregate functions are not allowed'],
    ['generate_series(1, source.quantity)', 'set-returning functions are not allowed'],
    ['t.quantity', 'missing FROM-clause entry for table "t"'],
  ];

  test('stops the sync, plan and check before anything is read', async () => {
    await using pair = await freshPair(merging());
    for (const [expression, message] of REFUSED) {
      await pair.writeTables([{ ...STOCK_CONFIG, merge: { quantity: expression } }]);
      const { error } = (await trySync(pair)).table();
      expect(error).toMatchObject({ code: 'SQL_INVALID', message: expect.stringContaining(message) });
      expect(error?.message).toContain('"merge.quantity" of "stock"');
    }
    const { stdout, exitCode } = await increp('check', pair);
    expect(stdout).toContain('"merge.quantity" of "stock"');
    expect(exitCode).not.toBe(0);
    await pair.writeTables([{ ...STOCK_CONFIG, merge: { amount: 'source.amount' } }]);
    expect((await trySync(pair)).table().error?.message).toContain('has no column "amount" (merge)');
    expect((await pair.destination.query(`SELECT to_regclass('stock') AS made`)).rows).toEqual([
      { made: null },
    ]);
  });
});

slowTest('a value that does not fit is refused, not cut', async () => {
  await using pair = await freshPair(merging({ merge: { code: 'source.code || destination.code' } }));
  await sync(pair);
  await change(pair, `note = 'x'`);
  expect((await trySync(pair)).table().error?.message).toContain(
    'value too long for type character varying(5)',
  );
  expect((await stock(pair, 'id, code'))[0]).toEqual({ id: 1, code: 'new' });
});

slowTest('the option can begin and end on a table with rows', async () => {
  await using pair = await freshPair({ tables: [{ ...STOCK_CONFIG, merge: undefined }], sourceSql: STOCK });
  await sync(pair);
  await pair.writeTables([{ ...STOCK_CONFIG, lookback: '10000d' }]);
  await touch(pair);
  await sync(pair);
  expect(await quantities(pair)).toEqual([10, 20, 30, 40, 50]);
  await change(pair, 'quantity = 5');
  await sync(pair);
  expect(await quantities(pair)).toEqual([15, 20, 30, 40, 50]);
  await pair.writeTables([{ ...STOCK_CONFIG, merge: undefined }]);
  await change(pair, 'quantity = 6', 'id <= 2');
  await sync(pair);
  expect(await quantities(pair)).toEqual([6, 6, 30, 40, 50]);
  await pair.writeTables([{ ...STOCK_CONFIG, lookback: '10000d' }]);
  await touch(pair);
  await sync(pair);
  expect(await quantities(pair)).toEqual([6, 6, 30, 40, 50]);
});

slowTest('each of several destinations merges its own rows', async () => {
  await using pair = await freshSeveral(merging());
  await sync(pair);
  await pair.copy('two').pool.query('UPDATE stock SET quantity = 0');
  await change(pair, 'quantity = 5');
  await sync(pair);
  await sync(pair, '--full-refresh');
  const first = async (name: string) =>
    (await pair.copy(name).pool.query('SELECT quantity FROM stock ORDER BY id LIMIT 1')).rows;
  expect([await first('one'), await first('two')]).toEqual([[{ quantity: 15 }], [{ quantity: 5 }]]);
});

slowTest('pipelines that share a table merge each its own rows', async () => {
  await using pair = await freshPair(merging({ metadata_columns: ['_source', '_synced_at'] }));
  await sync(pair);
  await pair.destination.query(
    `INSERT INTO stock (id, quantity, updated_at, _source) VALUES (1, 7, now(), 'other')`,
  );
  await change(pair, 'quantity = 5');
  await sync(pair);
  const { rows } = await pair.destination.query(
    `SELECT quantity FROM stock WHERE id = 1 ORDER BY _source = 'other'`,
  );
  expect(rows).toEqual([{ quantity: 15 }, { quantity: 7 }]);
});

slowTest('unique values that move between rows', async () => {
  await using pair = await freshPair(merging());
  await sync(pair);
  await pair.destination.query('CREATE UNIQUE INDEX ON stock (note)');
  await change(pair, `note = CASE id WHEN 1 THEN 'note 2' ELSE 'note 1' END, quantity = 1`, 'id <= 2');
  await sync(pair);
  await sync(pair, '--full-refresh');
  expect((await stock(pair)).slice(0, 2)).toEqual([
    { id: 1, quantity: 11, note: 'note 2' },
    { id: 2, quantity: 21, note: 'note 1' },
  ]);
});

describe('two opposite pipelines', () => {
  const GREATEST = {
    ...STOCK_CONFIG,
    on_conflict: 'last_update_wins',
    merge: { quantity: 'greatest(source.quantity, destination.quantity)', seen: MERGE.seen },
  };

  slowTest(
    'with greatest on both sides reach the same rows, and then write nothing',
    { timeout: 120_000 },
    async () => {
      await using there = await freshPair({ tables: [GREATEST], sourceSql: STOCK });
      await sync(there);
      await using back = await oppositeOf(there, GREATEST);
      await sync(back, 'stock --adopt --force');
      let isWriting = true;
      const most = new Map<number, number>();
      const write = async (client: Pair['source'], parity: number) => {
        for (let turn = 0; isWriting; turn += 1) {
          const [id, quantity] = [1 + (turn % 5), 100 + 2 * Math.trunc(Math.random() * 1000) + parity];
          const { rowCount } = await client.query(
            `UPDATE stock SET quantity = ${quantity}, note = '${parity} ${turn}', updated_at = clock_timestamp()
           WHERE id = ${id} AND quantity < ${quantity}`,
          );
          if (rowCount === 1) most.set(id, Math.max(quantity, most.get(id) ?? 0));
          await new Promise((resolve) => setTimeout(resolve, 15));
        }
      };
      const writers = [write(there.source, 0), write(there.destination, 1)];
      for (let round = 0; round < 4; round += 1) await Promise.all([sync(there), sync(back)]);
      isWriting = false;
      await Promise.all(writers);
      for (const pair of [there, back, there, back]) await sync(pair);
      const rows = async (client: Pair['source']) =>
        (await client.query('SELECT id, quantity, seen, note, updated_at FROM stock ORDER BY id')).rows;
      expect(await rows(there.destination)).toEqual(await rows(there.source));
      expect(await quantities(there)).toEqual([1, 2, 3, 4, 5].map((id) => most.get(id)));
      for (const pair of [there, back, there, back])
        expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 0 });
      expect((await increp('check', there)).stdout).not.toContain('opposite pipeline');
    },
  );

  test('are refused with an expression that would be applied without end', async () => {
    await using there = await freshPair({ tables: [GREATEST], sourceSql: STOCK });
    await sync(there);
    await using back = await oppositeOf(there, STOCK_CONFIG);
    const { error } = (await trySync(back, 'stock --adopt --force')).table();
    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(
        '"merge.quantity" of "stock" cannot be used with the opposite pipeline',
      ),
    });
    await back.writeTables([GREATEST]);
    await sync(back, 'stock --adopt --force');
    await there.writeTables([STOCK_CONFIG]);
    expect((await trySync(there)).table().error?.message).toContain('the opposite pipeline "back"');
  });
});

test('plan says what a merge does', async () => {
  await using pair = await freshPair(merging());
  const planned = async () => (await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ');
  expect(await planned()).toContain(
    'quantity, seen of existing rows are merged, once for each version of a row; no row is removed',
  );
});
