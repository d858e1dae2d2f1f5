/** Several pipelines into one table, each with rows of its own, and the columns that increp itself fills. */
import { expect, test } from 'vitest';
import { chunked } from '../support/chunked.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { LOADERS_TRIED, oneIn, slowTest } from '../support/tier.ts';

const SHARED = { ...ORDERS_CONFIG, metadata_columns: ['_source'] } as const;

/** Another pipeline with a source of its own and the destination of the hub. */
async function spokeOf(hub: Pair, name: string, options: object = {}): Promise<Pair> {
  const pair = await freshPair({ ...ordersPreset, tables: [SHARED], ...options });
  const { host, port, database, user, password } = hub.login('destination', 'increp');
  await pair.setEnv({
    PIPELINE_NAME: name,
    DEST_HOST: host,
    DEST_PORT: String(port),
    DEST_DB: database,
    DEST_USERNAME: user,
    DEST_PASSWORD: password,
  });
  return { ...pair, destination: hub.destination };
}

async function hubPair(options: object = {}): Promise<Pair> {
  const hub = await freshPair({ ...ordersPreset, tables: [SHARED], ...options });
  await hub.setEnv({ PIPELINE_NAME: 'north' });
  return hub;
}

/** The rows of one pipeline are looked at through a view. */
const expectOwnRows = (pair: Pair, name: string) =>
  expectSameRows(pair, 'orders', { destinationTable: `of_${name}` });

const viewOf = (pair: Pair, name: string) =>
  pair.destination.query(
    `CREATE OR REPLACE VIEW of_${name} AS SELECT * FROM orders WHERE _source = '${name}'`,
  );

const countBySource = async (pair: Pair) =>
  (
    await pair.destination.query<{ source: string | null; rows: number }>(
      'SELECT _source AS source, count(*)::int AS rows FROM orders GROUP BY 1 ORDER BY 1',
    )
  ).rows.map(({ source, rows }) => `${source}: ${rows}`);

async function verify(pair: Pair, args = '') {
  const result = await increp(`verify --json ${args}`, pair);
  return { exitCode: result.exitCode, ...result.json<{ tables: Record<string, unknown>[] }>().tables[0] };
}

for (const loader of LOADERS_TRIED) {
  test(`two pipelines fill one table with the same ids, loaded by ${loader}`, async () => {
    const tables = [{ ...SHARED, initial_load: loader }];
    await using north = await hubPair({ tables });
    await using south = await spokeOf(north, 'south', { tables });
    expect((await sync(north)).table()).toMatchObject({ action: 'initial', rows_inserted: 10 });
    await south.source.query(`UPDATE orders SET note = 'southern'; DELETE FROM orders WHERE id > 7`);
    expect((await sync(south)).table()).toMatchObject({
      action: 'initial',
      rows_inserted: 7,
      rows_deleted: 0,
    });
    expect(await countBySource(north)).toEqual(['north: 10', 'south: 7']);
    await Promise.all([viewOf(north, 'north'), viewOf(north, 'south')]);
    await insertOrders(north, 2);
    await south.source.query(`UPDATE orders SET note = 'again', updated_at = now() WHERE id <= 3`);
    expect((await sync(north)).table()).toMatchObject({ rows_inserted: 2, rows_updated: 0 });
    expect((await sync(south)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 3 });
    await expectOwnRows(north, 'north');
    await expectOwnRows(south, 'south');
    for (const pair of [north, south]) {
      expect(await verify(pair)).toMatchObject({ exitCode: 0, status: 'equal' });
      expect((await sync(pair, '--verify')).table()).toMatchObject({ rows_inserted: 0, rows_updated: 0 });
      expect((await sync(pair, '--full-refresh')).table()).toMatchObject({
        rows_inserted: 0,
        rows_deleted: 0,
      });
    }
    const { rows } = await north.destination.query('SELECT table_name AS name FROM _increp_state ORDER BY 1');
    expect(rows).toEqual([{ name: 'orders@north' }, { name: 'orders@south' }]);
  });
}

for (const deletes of oneIn(2, ['soft', 'hard'] as const)) {
  slowTest(`deletes "${deletes}", repair and loads touch a pipeline's own rows only`, async () => {
    const tables = [{ ...SHARED, metadata_columns: ['_source', '_synced_at'], deletes, deletes_every: '0s' }];
    await using north = await hubPair({ tables });
    await using south = await spokeOf(north, 'south', { tables });
    await sync(north);
    await sync(south);
    await north.source.query('DELETE FROM orders WHERE id IN (1, 2)');
    expect((await sync(north)).table()).toMatchObject({ rows_deleted: 2 });
    const live = `SELECT count(*)::int AS rows FROM orders WHERE _source = '%'${deletes === 'soft' ? ' AND _deleted_at IS NULL' : ''}`;
    const count = async (name: string) =>
      (await north.destination.query<{ rows: number }>(live.replace('%', name))).rows[0]?.rows;
    expect([await count('north'), await count('south')]).toEqual([8, 10]);
    await north.destination.query(`
      UPDATE orders SET note = 'planted' WHERE id IN (3, 4);
      INSERT INTO orders (id, updated_at, _source) VALUES (77, '2020-01-01', 'north'), (77, '2020-01-01', 'south')`);
    expect(await verify(north)).toMatchObject({ exitCode: 2, changed: 2, extra: 1, missing: 0 });
    expect(await verify(north, '--repair')).toMatchObject({ exitCode: 0, status: 'equal' });
    expect(await verify(south)).toMatchObject({ exitCode: 2, changed: 2, extra: 1, missing: 0 });
    await north.source.query('DELETE FROM orders WHERE id = 5');
    expect((await sync(north, '--full-refresh')).table()).toMatchObject({ rows_deleted: 1, rows_updated: 0 });
    expect(await count('south')).toBe(11);
    await north.source.query(`INSERT INTO orders (id, note) VALUES (1, 'back')`);
    await sync(north);
    expect(await verify(north)).toMatchObject({ exitCode: 0, status: 'equal' });
  });
}

slowTest('pipelines that begin at the same time share what the first one makes', async () => {
  await using north = await hubPair();
  await using south = await spokeOf(north, 'south');
  await using east = await spokeOf(north, 'east');
  await Promise.all([sync(north), sync(south), sync(east)]);
  expect(await countBySource(north)).toEqual(['east: 10', 'north: 10', 'south: 10']);
  for (let round = 1; round <= 2; round += 1) {
    await Promise.all([north, south, east].map((pair) => insertOrders(pair, 5)));
    await Promise.all([north, south, east].map((pair) => sync(pair)));
  }
  expect(await countBySource(north)).toEqual(['east: 20', 'north: 20', 'south: 20']);
});

slowTest('an emptied, a reset and a dropped table: each loads its own rows again', async () => {
  await using north = await hubPair();
  await using south = await spokeOf(north, 'south');
  await sync(north);
  await sync(south);
  await north.destination.query(`DELETE FROM orders WHERE _source = 'north'`);
  expect((await sync(south)).table()).toMatchObject({ action: 'incremental' });
  expect((await sync(north)).table()).toMatchObject({ action: 'initial', rows_inserted: 10 });
  await increp('reset orders', south);
  const status = async (pair: Pair) =>
    (await increp('status --json --no-source', pair)).json<{ tables: { cursor: string | null }[] }>()
      .tables[0];
  expect((await status(south))?.cursor).toBeNull();
  expect((await status(north))?.cursor).toEqual(expect.any(String));
  expect((await sync(south)).table()).toMatchObject({ action: 'reset', rows_inserted: 0, rows_deleted: 0 });
  await north.destination.query('DROP TABLE orders');
  expect((await sync(south)).table()).toMatchObject({ action: 'initial', rows_inserted: 10 });
  expect((await sync(north)).table()).toMatchObject({ action: 'initial', rows_inserted: 10 });
  expect(await countBySource(north)).toEqual(['north: 10', 'south: 10']);
});

slowTest('a load in chunks makes the table, and another one goes into it', async () => {
  const sourceSql = `CREATE TABLE orders (id bigint PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO orders SELECT i, repeat('note ', 20) || i, now() - interval '1 h' FROM generate_series(1, 8000) i`;
  const tables = [chunked('orders', { metadata_columns: ['_source', '_synced_at'] })];
  await using north = await hubPair({ tables, sourceSql });
  await using south = await spokeOf(north, 'south', { tables, sourceSql });
  expect((await sync(north)).table()).toMatchObject({ action: 'initial', rows_inserted: 8000 });
  expect((await sync(south)).table()).toMatchObject({ action: 'initial', rows_inserted: 8000 });
  for (const pair of [north, south])
    expect(await verify(pair)).toMatchObject({ exitCode: 0, status: 'equal' });
  const { rows } = await north.destination.query(
    `SELECT pg_get_indexdef(indexrelid) AS def FROM pg_index WHERE indrelid = 'orders'::regclass`,
  );
  expect(rows).toEqual([
    { def: expect.stringContaining('UNIQUE INDEX orders_pkey ON public.orders USING btree (_source, id)') },
  ]);
});

slowTest('a shape that only one source has is made room for, or refused in words', async () => {
  await using north = await hubPair();
  await using south = await spokeOf(north, 'south');
  await sync(north);
  await sync(south);
  await south.source.query(`ALTER TABLE orders ADD region text NOT NULL DEFAULT 'S', DROP note`);
  expect((await sync(south)).table()).toMatchObject({ action: 'reset', rows_updated: 10, rows_deleted: 0 });
  await insertOrders(north, 1);
  expect((await sync(north)).table()).toMatchObject({
    action: 'incremental',
    rows_inserted: 1,
    rows_updated: 0,
  });
  const { rows } = await north.destination.query(
    `SELECT _source AS source, region, count(*)::int AS rows FROM orders GROUP BY 1, 2 ORDER BY 1`,
  );
  expect(rows).toEqual([
    { source: 'north', region: null, rows: 11 },
    { source: 'south', region: 'S', rows: 10 },
  ]);
  await south.source.query('ALTER TABLE orders ALTER total TYPE text');
  expect((await trySync(south)).table().error).toMatchObject({
    code: 'SCHEMA_CHANGE_REFUSED',
    message: expect.stringContaining('it may hold rows of other pipelines'),
  });
  expect(await countBySource(north)).toEqual(['north: 11', 'south: 10']);
});

slowTest(
  'a plain copy becomes one that others may share, in the next sync, and may go back alone',
  async () => {
    await using north = await hubPair({ tables: [ORDERS_CONFIG] });
    await sync(north);
    await north.writeTables([SHARED]);
    const became = (await sync(north)).table();
    expect(became).toMatchObject({ action: 'incremental', rows_inserted: 0, rows_updated: 0 });
    expect(became.reason).toContain('column "_source" is added to the destination table');
    expect(await countBySource(north)).toEqual(['north: 10']);
    await using south = await spokeOf(north, 'south');
    expect((await sync(south)).table()).toMatchObject({ rows_inserted: 10 });
    expect(await countBySource(north)).toEqual(['north: 10', 'south: 10']);
    const { rows } = await north.destination.query('SELECT table_name AS name FROM _increp_state ORDER BY 1');
    expect(rows).toEqual([{ name: 'orders@north' }, { name: 'orders@south' }]);
    // Without the column north would take the rows of south for rows that are gone.
    await north.writeTables([ORDERS_CONFIG]);
    expect((await trySync(north)).table().error).toMatchObject({ code: 'STATE_MISMATCH' });
    await south.destination.query(`DELETE FROM _increp_state WHERE pipeline = 'south'`);
    expect((await trySync(north)).table().error).toMatchObject({
      code: 'SCHEMA_CHANGE_REFUSED',
      message: expect.stringContaining('holds rows of other pipelines'),
    });
    await south.destination.query(`DELETE FROM orders WHERE _source = 'south'`);
    await insertOrders(north, 1);
    expect((await sync(north)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
    expect(await verify(north)).toMatchObject({ exitCode: 0, status: 'equal' });
  },
);

slowTest(
  'a pipeline without the column is kept away from a table that has it, and the other way round',
  async () => {
    await using north = await hubPair();
    await using south = await spokeOf(north, 'south', { tables: [ORDERS_CONFIG] });
    await sync(north);
    expect((await trySync(south)).table().error).toMatchObject({
      code: 'STATE_MISMATCH',
      message: expect.stringContaining('pipeline "north" also writes to public.orders'),
    });
    await using west = await hubPair({ tables: [ORDERS_CONFIG] });
    await using east = await spokeOf(west, 'east');
    await sync(west);
    expect((await trySync(east)).table().error).toMatchObject({ code: 'STATE_MISMATCH' });
    expect((await west.destination.query('SELECT FROM orders')).rowCount).toBe(10);
  },
);

test('plan says what is left alone; a column of the source or the copy that has the name is refused', async () => {
  await using north = await hubPair();
  expect((await increp('plan', north)).stdout.replaceAll(/\s+/g, ' ')).toContain(
    `rows: only rows whose "_source" is 'north' are read or changed`,
  );
  await north.source.query('ALTER TABLE orders ADD _source int');
  expect((await trySync(north)).table().error).toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('has a column "_source" of its own'),
  });
  await north.source.query('ALTER TABLE orders DROP _source');
  await north.destination.query('CREATE TABLE orders (id bigint PRIMARY KEY, _source int)');
  await north.destination.query(`ALTER TABLE orders OWNER TO ${north.login('destination', 'increp').user}`);
  expect((await trySync(north)).table().error).toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('at the destination has a column "_source" of type integer'),
  });
});

const stamps = async (pair: Pair) =>
  (
    await pair.destination.query<{ id: string; at: string | null }>(
      'SELECT id, _synced_at::text AS at FROM orders ORDER BY id',
    )
  ).rows.map(({ at }) => at);

slowTest('_synced_at is when a row was written, and stays where it was not', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [{ ...ORDERS_CONFIG, lookback: '1h', metadata_columns: ['_synced_at'] }],
  });
  await sync(pair);
  const first = await stamps(pair);
  expect(new Set(first).size).toBe(1);
  expect(first[0]).not.toBeNull();
  await pair.source.query(`UPDATE orders SET note = 'changed', updated_at = now() WHERE id = 1`);
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 1, rows_unchanged: 0 });
  const second = await stamps(pair);
  expect(second.slice(1)).toEqual(first.slice(1));
  expect(second[0]).not.toBe(first[0]);
  expect((await sync(pair, '--full-refresh')).table()).toMatchObject({ rows_updated: 0 });
  expect(await stamps(pair)).toEqual(second);
  await expectSameRows(pair, 'orders');
  expect(await verify(pair)).toMatchObject({ exitCode: 0, status: 'equal' });
});

slowTest('_synced_at survives each way to another shape, and is never drift', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [{ ...ORDERS_CONFIG, metadata_columns: ['_synced_at'] }],
  });
  await sync(pair);
  const hasStamps = async () => (await stamps(pair)).every((at) => at !== null);
  // Exchanged: a type changes.
  await pair.source.query('ALTER TABLE orders ALTER total TYPE numeric(14,3)');
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset' });
  expect(await hasStamps()).toBe(true);
  // Altered: a materialized view makes the exchange costly.
  await pair.destination.query('CREATE MATERIALIZED VIEW notes AS SELECT id, note FROM orders');
  await pair.source.query('ALTER TABLE orders ADD more int DEFAULT 1');
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset' });
  expect(await hasStamps()).toBe(true);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
  await expectSameRows(pair, 'orders');
  expect(await verify(pair)).toMatchObject({ exitCode: 0, status: 'equal' });
});

slowTest(
  '_synced_at comes to a copy that is there, and stays as a column of people when it is given up',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await pair.writeTables([{ ...ORDERS_CONFIG, metadata_columns: ['_synced_at'] }]);
    await insertOrders(pair, 1);
    expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
    const now = await stamps(pair);
    expect(now.slice(0, 10)).toEqual(Array(10).fill(null));
    expect(now[10]).toEqual(expect.any(String));
    await pair.writeTables([ORDERS_CONFIG]);
    await insertOrders(pair, 1);
    const given = (await sync(pair)).table();
    expect(given).toMatchObject({ action: 'incremental', rows_inserted: 1 });
    expect(given.reason).toContain(
      'column "_synced_at" of the destination table is kept, but no longer filled',
    );
    // A load by exchange carries it along like any column of people.
    await pair.source.query('ALTER TABLE orders ALTER total TYPE numeric(14,3)');
    await sync(pair);
    expect(await stamps(pair)).toEqual([...now, null]);
  },
);
