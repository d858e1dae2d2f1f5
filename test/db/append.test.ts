/** `mode: "incremental-append"`: every version of a row is kept, each exactly once. */
import { expect, test } from 'vitest';
import { chunked } from '../support/chunked.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { APPEND, versionsIn, WITNESS } from '../support/versions.ts';
import { LOADERS_TRIED, oneIn, slowTest } from '../support/tier.ts';

const history = (more: object = {}): PairOptions => ({ ...ordersPreset, tables: [{ ...APPEND, ...more }] });

const rowsIn = async (pair: Pair) => (await pair.destination.query('SELECT FROM orders')).rowCount;

const change = (pair: Pair, note: string, where = 'true') =>
  pair.source.query(`UPDATE orders SET note = '${note}', updated_at = clock_timestamp() WHERE ${where}`);

const indexesOf = async (pair: Pair) =>
  (
    await pair.destination.query<{ on: string }>(
      `SELECT regexp_replace(pg_get_indexdef(indexrelid), '.* USING btree ', '') AS on
       FROM pg_index WHERE indrelid = 'orders'::regclass AND indisunique ORDER BY 1`,
    )
  ).rows.map((row) => row.on);

async function verify(pair: Pair, args = '') {
  const result = await increp(`verify --json ${args}`, pair);
  return { exitCode: result.exitCode, ...result.json<{ tables: Record<string, unknown>[] }>().tables[0] };
}

for (const loader of LOADERS_TRIED) {
  test(`every version that a sync has seen stays, loaded by ${loader}`, async () => {
    await using pair = await freshPair(history({ initial_load: loader }));
    await pair.source.query(WITNESS);
    expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: 10 });
    expect(await indexesOf(pair)).toEqual(['(id, updated_at)']);
    for (let round = 1; round <= 3; round += 1) {
      await change(pair, `round ${round}`, `id <= ${round}`);
      expect((await sync(pair)).table()).toMatchObject({
        action: 'append',
        rows_inserted: round,
        rows_updated: 0,
      });
    }
    await pair.source.query('DELETE FROM orders WHERE id = 1');
    expect((await sync(pair)).table()).toMatchObject({ action: 'append', rows_inserted: 0, rows_deleted: 0 });
    expect(await versionsIn(pair.destination, 'orders')).toEqual(await versionsIn(pair.source, 'versions'));
  });
}

slowTest('a window that is read again and again adds no row twice, whatever writes at its edge', async () => {
  await using pair = await freshPair(history({ lookback: '1h' }));
  await sync(pair);
  const open = await pair.source.connect();
  await open.query(`BEGIN; UPDATE orders SET note = 'late', updated_at = now() WHERE id = 1`);
  await change(pair, 'early', 'id = 2');
  // The fence of the open transaction makes each of these read down to its mark.
  for (let run = 1; run <= 3; run += 1) await sync(pair);
  expect(await rowsIn(pair)).toBe(11);
  await open.query('COMMIT');
  open.release();
  await sync(pair);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 0 });
  expect(await rowsIn(pair)).toBe(12);
});

test('a row that changes without a new replication key is the same version, brought up to date', async () => {
  await using pair = await freshPair(history({ lookback: '1h' }));
  await sync(pair);
  await pair.source.query(`UPDATE orders SET note = 'corrected' WHERE id = 3`);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 1 });
  expect(await rowsIn(pair)).toBe(10);
});

test('all versions that one window shows are kept, and doubles of one are one', async () => {
  await using pair = await freshPair({
    tables: [{ ...APPEND, name: 'log', replication_key: 'at', lookback: '1h' }],
    sourceSql: `CREATE TABLE log (id int, note text, at timestamptz); CREATE INDEX ON log (at)`,
  });
  const add = (values: string) => pair.source.query(`INSERT INTO log VALUES ${values}`);
  await add(`(1, 'a', now() - interval '3 s'), (1, 'b', now() - interval '2 s')`);
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: 2, warnings: [] });
  await add(`(1, 'c', now() - interval '1 s'), (1, 'd', now()), (2, 'x', now()), (2, 'y', now())`);
  const said = /^unique_cols \(id\) and at do not identify rows at the source: 1 row/;
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 3, warnings: [said] });
  const { rows } = await pair.destination.query('SELECT note FROM log ORDER BY note');
  expect(rows.map((row: { note: string }) => row.note)).toEqual(['a', 'b', 'c', 'd', 'y']);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 0 });
});

slowTest('rows without a replication key have one version for each merge key', async () => {
  await using pair = await freshPair({
    tables: [{ ...APPEND, name: 'items', replication_key: 'at', null_keys: 'include' }],
    sourceSql: `CREATE TABLE items (id int PRIMARY KEY, note text, at timestamptz);
      INSERT INTO items VALUES (1, 'null', NULL), (2, 'dated', now())`,
  });
  await sync(pair);
  await pair.source.query(`UPDATE items SET note = 'still null' WHERE id = 1`);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 1 });
  await pair.source.query(`UPDATE items SET note = 'dated', at = now() WHERE id = 1`);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, rows_updated: 0 });
  const { rows } = await pair.destination.query('SELECT id, note FROM items ORDER BY id, at NULLS FIRST');
  expect(rows).toEqual([
    { id: 1, note: 'still null' },
    { id: 1, note: 'dated' },
    { id: 2, note: 'dated' },
  ]);
});

for (const how of oneIn(2, ['sync --full-refresh', 'reset'])) {
  test(`${how} loses no version`, async () => {
    await using pair = await freshPair(history());
    await sync(pair);
    await change(pair, 'second', 'id <= 5');
    await sync(pair);
    await pair.source.query('DELETE FROM orders WHERE id = 10');
    // What no window has seen: a load brings it.
    await pair.source.query(`INSERT INTO orders VALUES (50, 1, 'backdated', '2020-01-01')`);
    if (how === 'reset') await increp('reset orders', pair);
    const again = await sync(pair, how === 'reset' ? '' : '--full-refresh');
    expect(again.table()).toMatchObject({ rows_inserted: 1, rows_deleted: 0 });
    expect(await rowsIn(pair)).toBe(16);
    expect((await sync(pair)).table()).toMatchObject({ action: 'append', rows_inserted: 0 });
  });
}

slowTest('dropped by hand, it begins anew', async () => {
  await using pair = await freshPair(history());
  await sync(pair);
  await change(pair, 'second');
  await sync(pair);
  await pair.destination.query('DROP TABLE orders');
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: 10 });
});

slowTest('a load in chunks fills it like any other, while rows change', async () => {
  await using pair = await freshPair({
    tables: [chunked('orders', { mode: 'incremental-append', metadata_columns: ['_synced_at'] })],
    sourceSql: `${ORDERS_SQL}; INSERT INTO orders
      SELECT i, 1, repeat('note ', 20) || i, now() - interval '1 h' FROM generate_series(1, 10000) i`,
  });
  await using running = startIncrep('sync --json', pair);
  await change(pair, 'meanwhile', 'id % 1000 = 0');
  expect((await running.wait()).exitCode).toBe(0);
  expect(await verify(pair)).toMatchObject({ exitCode: 0, status: 'equal' });
  await change(pair, 'later', 'id <= 10');
  await sync(pair);
  expect(await indexesOf(pair)).toEqual(['(id, updated_at)']);
  const { rows } = await pair.destination.query(
    `SELECT count(*) FILTER (WHERE id <= 10)::int AS twice, count(*) FILTER (WHERE _synced_at IS NULL)::int AS bare FROM orders`,
  );
  expect(rows).toEqual([{ twice: 20, bare: 0 }]);
});

slowTest('a column that is added has what it has; one that is dropped stays, and may be NULL', async () => {
  await using pair = await freshPair(history());
  await pair.source.query('ALTER TABLE orders ALTER note SET NOT NULL');
  await sync(pair);
  await change(pair, 'second', 'id = 1');
  await sync(pair);
  await pair.source.query(`ALTER TABLE orders ADD state text NOT NULL DEFAULT 'new', DROP note`);
  expect((await sync(pair)).table()).toMatchObject({
    action: 'reset',
    rows_inserted: 0,
    rows_updated: 10,
    rows_deleted: 0,
  });
  await pair.source.query(`INSERT INTO orders (id, state) VALUES (11, 'newer')`);
  expect((await sync(pair)).table()).toMatchObject({ action: 'append', rows_inserted: 1 });
  const { rows } = await pair.destination.query(
    'SELECT id::int, note, state FROM orders WHERE id IN (1, 2, 11) ORDER BY id, updated_at',
  );
  expect(rows).toEqual([
    { id: 1, note: 'order 1', state: null },
    { id: 1, note: 'second', state: 'new' },
    { id: 2, note: 'order 2', state: 'new' },
    { id: 11, note: null, state: 'newer' },
  ]);
  expect(await verify(pair)).toMatchObject({ exitCode: 0, status: 'equal' });
});

slowTest(
  'a change that old versions would have to be loaded again for is refused, and done by hand',
  async () => {
    await using pair = await freshPair(history());
    await sync(pair);
    await change(pair, 'second', 'id = 1');
    await sync(pair);
    await pair.source.query('ALTER TABLE orders ALTER total TYPE numeric(14,4)');
    for (const args of ['', '--full-refresh']) {
      const { error } = (await trySync(pair, args)).table();
      expect(error).toMatchObject({
        code: 'SCHEMA_CHANGE_REFUSED',
        message: expect.stringContaining('it may hold versions of rows that the source no longer has'),
      });
    }
    expect(await rowsIn(pair)).toBe(11);
    await pair.destination.query('ALTER TABLE orders ALTER total TYPE numeric(14,4)');
    expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_deleted: 0 });
    expect(await rowsIn(pair)).toBe(11);
    await pair.writeTables([{ ...APPEND, unique_cols: ['id', 'note'] }]);
    expect((await trySync(pair)).table().error).toMatchObject({
      code: 'SCHEMA_CHANGE_REFUSED',
      message: expect.stringContaining('unique_cols changed from [id] to [id, note]'),
    });
  },
);

slowTest('a copy of the latest rows becomes a history, and never the other way', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.writeTables([APPEND]);
  const became = (await sync(pair)).table();
  expect(became).toMatchObject({ action: 'reset', rows_inserted: 0, rows_deleted: 0 });
  expect(became.reason).toMatch(/mode changed from "incremental-deduped" to "incremental-append"/);
  expect(await indexesOf(pair)).toEqual(['(id, updated_at)']);
  await change(pair, 'second', 'id = 1');
  await sync(pair);
  expect(await rowsIn(pair)).toBe(11);
  await pair.writeTables([ORDERS_CONFIG]);
  const refused = async (args = '') => (await trySync(pair, args)).table().error;
  const words = {
    code: 'SCHEMA_CHANGE_REFUSED',
    message: expect.stringContaining('keeps every version of a row'),
  };
  expect(await refused()).toMatchObject(words);
  expect(await refused('--full-refresh')).toMatchObject(words);
  await increp('reset orders', pair);
  expect(await refused()).toMatchObject(words);
  expect(await rowsIn(pair)).toBe(11);
  await pair.destination.query('DROP TABLE orders');
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: 10 });
});

slowTest('a unique index of people that would keep a second version out is refused in words', async () => {
  await using pair = await freshPair(history());
  await sync(pair);
  await pair.destination.query('CREATE UNIQUE INDEX one_each ON orders (note)');
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'DEPENDENT_OBJECTS',
    message: expect.stringContaining('the unique index one_each on (note)'),
  });
});

slowTest(
  'verify holds the current rows to their versions; older ones are no difference, doubles are',
  async () => {
    await using pair = await freshPair(history());
    await sync(pair);
    await change(pair, 'second', 'id <= 3');
    await sync(pair, '--verify');
    await pair.source.query('DELETE FROM orders WHERE id = 9');
    expect(await verify(pair)).toMatchObject({ exitCode: 0, status: 'equal', kept: 4, extra: 0 });
    await pair.destination.query(
      `
    UPDATE orders SET note = 'planted' WHERE id = 1 AND note = 'second';
    DELETE FROM orders WHERE id = 2 AND note = 'second';
    DROP INDEX orders_pkey CASCADE`.replace(
        'DROP INDEX orders_pkey CASCADE',
        'ALTER TABLE orders DROP CONSTRAINT orders_pkey',
      ),
    );
    await pair.destination.query(`INSERT INTO orders SELECT * FROM orders WHERE id IN (4, 9)`);
    const found = { changed: 1, missing: 1, duplicated: 2, extra: 0 };
    expect(await verify(pair)).toMatchObject({ exitCode: 2, status: 'different', ...found });
    expect(await verify(pair, '--repair')).toMatchObject({ exitCode: 0, status: 'equal', kept: 4 });
    const { rows } = await pair.destination.query(
      `SELECT count(*)::int AS rows FROM orders WHERE id IN (1, 4, 9)`,
    );
    expect(rows).toEqual([{ rows: 4 }]);
  },
);

test('plan and check say what a history needs', async () => {
  await using pair = await freshPair(history());
  const plan = await increp('plan', pair);
  expect(plan.stdout.replaceAll(/\s+/g, ' ')).toContain(
    'rows: every version of a row is kept, one for each (id, updated_at); no row is removed',
  );
  await sync(pair);
  expect((await increp('plan', pair)).stdout).toMatch(/~ orders {2}append/);
  const check = (await increp('check --json', pair)).json<{
    findings: { code: string; message: string }[];
  }>();
  const said = check.findings.filter(({ code }) => code === 'VERSIONS').map(({ message }) => message);
  expect(said).toEqual([expect.stringContaining('Each update must set updated_at')]);
});

slowTest('a commit whose reply is lost adds its versions once', async () => {
  await using pair = await freshPair(history());
  await sync(pair);
  const proxy = await faultProxy(pair.login('destination'));
  await using _ = proxy;
  await pair.setEnv({ DEST_HOST: proxy.host, DEST_PORT: String(proxy.port) });
  await change(pair, 'second', 'id <= 3');
  proxy.dropReplyTo('_increp_state" AS state');
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 3 });
  expect(proxy.fired).toBe(1);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 0 });
  expect(await rowsIn(pair)).toBe(13);
});

test('after the source went back, verify prints the statement that removes the newer versions', async () => {
  await using pair = await freshPair(history());
  await change(pair, 'lost', 'id = 3');
  await sync(pair);
  await pair.source.query(`UPDATE orders SET updated_at = updated_at - interval '1 day' WHERE id = 3`);
  await sync(pair);
  const { stdout } = await increp('verify', pair);
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
    '1 row is newer than the largest updated_at of the source (',
  );
  const [, statement = ''] = /run at the destination: (DELETE FROM [^]*'\d[^']*')/.exec(stdout) ?? [];
  expect((await pair.destination.query(statement)).rowCount).toBe(1);
});

test('a table of mode full-refresh gets versions, and what is built on it stays', async () => {
  await using pair = await freshPair({ ...ordersPreset, tables: [{ name: 'orders', mode: 'full-refresh' }] });
  await sync(pair);
  await pair.destination.query('CREATE VIEW built AS SELECT * FROM orders');
  await pair.writeTables([{ ...ORDERS_CONFIG, mode: 'incremental-append', initial_load: 'copy' }]);
  await pair.source.query('UPDATE orders SET total = 77, updated_at = now() WHERE id = 1');
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: 1 });
  const { rows } = await pair.destination.query('SELECT FROM built WHERE id = 1');
  expect(rows).toHaveLength(2);
});
