/** Options that are built apart and used together. What a copy is to hold stands in a view of the source. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { freshSeveral } from '../support/several.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const SELECTED = {
  ...ORDERS_CONFIG,
  where: 'id % 2 = 0',
  transform: { note: 'md5(note)' },
  deletes: 'hard',
  deletes_every: '0s',
} as const;

const COLUMNS = ['id', 'total', 'note', 'updated_at'];

const wanted = (...more: readonly string[]) =>
  `CREATE OR REPLACE VIEW wanted AS SELECT id, total, md5(note) AS note, updated_at${more
    .map((column) => `, ${column}`)
    .join('')} FROM orders WHERE id % 2 = 0`;

/** Against the view, and by verify. */
async function expectWanted(pair: Pair, columns: readonly string[] = COLUMNS): Promise<void> {
  await expectSameRows(pair, 'wanted', { destinationTable: 'orders', columns });
  const verified = await increp('verify', pair);
  expect(verified.exitCode, verified.stdout).toBe(0);
}

test('a selection evolves in place, and rows that leave it are removed', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [{ ...SELECTED, on_schema_change: 'evolve', metadata_columns: ['_synced_at'] }],
  });
  await pair.source.query(wanted());
  await sync(pair);
  await expectWanted(pair);
  await pair.source.query(`ALTER TABLE orders ADD COLUMN kind text DEFAULT 'plain';
    UPDATE orders SET id = 101, updated_at = clock_timestamp() WHERE id = 2;
    UPDATE orders SET note = 'other', updated_at = clock_timestamp() WHERE id = 4; ${wanted('kind')}`);
  const { table } = await sync(pair);
  expect(table()).toMatchObject({ action: 'incremental', rows_deleted: 1 });
  expect(table().reason).toContain('altered in place');
  await expectWanted(pair, [...COLUMNS, 'kind']);
  // A column more by the configuration is one more to fill; other rows are another copy.
  await pair.writeTables([{ ...SELECTED, on_schema_change: 'evolve', exclude_columns: ['kind'] }]);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
  await expectWanted(pair);
  await pair.writeTables([{ ...SELECTED, on_schema_change: 'evolve', where: 'id % 3 = 0' }]);
  expect((await trySync(pair)).table().error?.code).toBe('DELETE_LIMIT_EXCEEDED');
  expect((await sync(pair, '--force')).table()).toMatchObject({ action: 'reset' });
});

slowTest('several destinations share a selection, and each evolves', async () => {
  await using pair = await freshSeveral({
    ...ordersPreset,
    tables: [{ ...SELECTED, initial_load: 'copy', on_schema_change: 'evolve' }],
  });
  await pair.source.query(wanted());
  const columns = [...COLUMNS];
  const expectAll = async () => {
    await pair.expectAllSame('wanted', { destinationTable: 'orders', columns });
    expect((await increp('verify', pair)).exitCode).toBe(0);
  };
  await sync(pair);
  await expectAll();
  await insertOrders(pair, 10);
  await sync(pair);
  await expectAll();
  await pair.setUrls({ two: null });
  await insertOrders(pair, 4);
  await sync(pair);
  await pair.setUrls();
  await pair.source.query(`ALTER TABLE orders ADD COLUMN kind text DEFAULT 'plain'; ${wanted('kind')}`);
  columns.push('kind');
  const after = await sync(pair);
  expect(after.summary.tables.map(({ action }) => action)).toEqual(['incremental', 'incremental']);
  await expectAll();
});

test('patterns, another schema, histories and several destinations', async () => {
  await using pair = await freshSeveral({
    sourceSql: `CREATE TABLE events_1 (id int, at timestamptz DEFAULT now(), secret text);
      CREATE TABLE events_2 (LIKE events_1 INCLUDING ALL);
      INSERT INTO events_1 VALUES (1, now(), 's'); INSERT INTO events_2 VALUES (1, now(), 's')`,
    tables: [
      {
        ...{ name: 'events_*', dest_name: 'raw_*', dest_schema: 'lake' },
        ...{ replication_key: 'at', unique_cols: ['id'], mode: 'incremental-append' },
        exclude_columns: ['secret'],
      },
    ],
  });
  await sync(pair);
  await pair.source.query('UPDATE events_1 SET at = clock_timestamp()');
  const { summary } = await sync(pair);
  expect(summary.tables.map(({ name, action, rows_inserted: rows }) => `${name} ${action} ${rows}`)).toEqual([
    ...['events_1 append 1', 'events_2 append 0'],
    ...['events_1 append 1', 'events_2 append 0'],
  ]);
  for (const { pool } of pair.copies)
    expect((await pool.query('SELECT id FROM lake.raw_1')).rows).toEqual([{ id: 1 }, { id: 1 }]);
  expect((await increp('verify', pair)).exitCode).toBe(0);
  const { exitCode, stdout } = await increp('status events_* --json --exit-code', pair);
  expect([exitCode, stdout.match(/"state":\s*"ok"/g)?.length], stdout).toEqual([0, 4]);
});

slowTest('a query that is read as a whole each time is left alone while its rows are the same', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [
      {
        ...{ name: 'totals', mode: 'full-refresh', skip_unchanged: true },
        query: 'SELECT id % 3 AS kind, sum(total) AS total FROM public.orders GROUP BY 1',
      },
    ],
  });
  await pair.source.query(
    'CREATE VIEW totals AS SELECT id % 3 AS kind, sum(total) AS total FROM orders GROUP BY 1',
  );
  const actions = [];
  for (const change of [
    'SELECT',
    'SELECT',
    'UPDATE orders SET note = $$x$$',
    'DELETE FROM orders WHERE id = 3',
  ]) {
    await pair.source.query(change);
    actions.push((await sync(pair)).table().action);
    await expectSameRows(pair, 'totals', { columns: ['kind', 'total'] });
  }
  expect(actions).toEqual(['initial', 'skipped', 'skipped', 'full-refresh']);
});

test('a selection that its rows alone do not decide is never skipped by their numbers', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [
      {
        ...{ name: 'orders', mode: 'full-refresh', skip_unchanged: true },
        where: 'id IN (SELECT id FROM public.chosen)',
      },
    ],
  });
  await pair.source.query(
    'CREATE TABLE chosen (id bigint); INSERT INTO chosen VALUES (1), (2); GRANT SELECT ON chosen TO PUBLIC',
  );
  await sync(pair);
  await pair.source.query('DELETE FROM chosen WHERE id = 1; INSERT INTO chosen VALUES (3)');
  expect((await sync(pair)).table()).toMatchObject({
    action: 'full-refresh',
    rows_inserted: 1,
    rows_deleted: 1,
  });
  expect((await pair.destination.query('SELECT id::int FROM orders ORDER BY 1')).rows).toEqual([
    { id: 2 },
    { id: 3 },
  ]);
});

slowTest('a full refresh fills its own rows of a shared table', async () => {
  const config = {
    ...ORDERS_CONFIG,
    mode: 'full-refresh',
    metadata_columns: ['_source', '_synced_at'],
  } as const;
  await using hub = await freshPair({ ...ordersPreset, tables: [config] });
  await using other = await freshPair({ ...ordersPreset, tables: [config] });
  const { host, port, database, user, password } = hub.login('destination', 'increp');
  await hub.setEnv({ PIPELINE_NAME: 'north' });
  await other.setEnv({
    ...{ PIPELINE_NAME: 'south', DEST_HOST: host, DEST_PORT: String(port), DEST_DB: database },
    ...{ DEST_USERNAME: user, DEST_PASSWORD: password },
  });
  await sync(hub);
  await sync(other);
  await hub.source.query('DELETE FROM orders WHERE id > 7');
  expect((await sync(hub)).table()).toMatchObject({ rows_deleted: 3, rows_unchanged: 7 });
  expect((await sync(other)).table()).toMatchObject({ rows_deleted: 0, rows_unchanged: 10 });
  const { rows } = await hub.destination.query(
    'SELECT _source AS source, count(*)::int AS rows FROM orders GROUP BY 1 ORDER BY 1',
  );
  expect(rows).toEqual([
    { source: 'north', rows: 7 },
    { source: 'south', rows: 10 },
  ]);
  for (const pair of [hub, other]) expect((await increp('verify', pair)).exitCode).toBe(0);
});

test('what does not go together is refused before anything is read', async () => {
  await using pair = await freshPair('orders');
  const refused = async (entry: object) => {
    await pair.writeTables([{ name: 'orders', ...entry }]);
    const { exitCode, stderr } = await increp('sync', pair);
    expect(exitCode).toBe(78);
    return stderr;
  };
  expect(await refused({ mode: 'full-refresh', on_conflict: 'last_update_wins' })).toContain(
    'on_conflict has no effect',
  );
  expect(await refused({ mode: 'full-refresh', metadata_columns: ['_synced_at'] })).toContain(
    'set unique_cols',
  );
  expect(await refused({ ...ORDERS_CONFIG, name: 'o*', query: 'SELECT 1' })).toContain('cannot contain a *');
});
