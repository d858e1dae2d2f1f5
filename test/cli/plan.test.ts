/** `increp plan`: what sync would do, and why, said and not done. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { faultProxy } from '../support/proxy.ts';
import { slowTest } from '../support/tier.ts';

interface PlannedTable {
  readonly name: string;
  readonly action: string;
  readonly [field: string]: unknown;
}

async function plan(pair: Pair, args = '') {
  const result = await increp(`plan --json ${args}`, pair);
  return { exitCode: result.exitCode, tables: result.json<{ tables: PlannedTable[] }>().tables };
}

const NAMES = ['orders', 'quiet', 'changed', 'misshapen', 'off', 'unreadable', 'gone'];

/** One table of each kind, all but one synced. */
async function zoo(): Promise<Pair> {
  const pair = await freshPair({
    tables: NAMES.map((name) => ({ ...ORDERS_CONFIG, name, initial_load: 'copy', enabled: name !== 'off' })),
    sourceSql: `${String(ordersPreset.sourceSql)}; ${NAMES.filter((name) => name !== 'orders')
      .map(
        (name) =>
          `CREATE TABLE ${name} (LIKE orders INCLUDING ALL); INSERT INTO ${name} SELECT * FROM orders`,
      )
      .join('; ')}; ANALYZE`,
  });
  await sync(pair, '--exclude orders');
  await pair.source.query(`INSERT INTO changed (id) VALUES (50); ALTER TABLE misshapen ADD extra int;
    REVOKE SELECT ON unreadable FROM ${pair.login('source', 'increp').user}; DROP TABLE gone`);
  return pair;
}

test('a symbol, an action and a reason for each table, and a last line that counts', async () => {
  await using pair = await zoo();
  const { stdout, exitCode } = await increp('plan', pair);
  const lines = stdout.trimEnd().split('\n');
  for (const line of [
    /^\+ orders {6}initial {7}there is no destination table yet; by copy, about 10 rows, \d/,
    /^~ quiet {7}incremental {3}nothing newer than 20/,
    /^~ changed {5}incremental {3}about \d+ rows?, \d+ B, from 10s before 20.* on$/,
    /^! misshapen {3}reset {9}column "extra" .*; by copy/,
    /^- off {9}skipped {7}it is disabled/,
    /^x unreadable {2}refused {7}role ".*" may not read public\.unreadable at the source$/,
    /^ {4}next: At the source, run: GRANT SELECT ON "public"\."unreadable" TO/,
    /^x gone {8}refused {7}the source no longer has public\.gone/,
  ]) {
    expect(lines).toContainEqual(expect.stringMatching(line));
  }
  expect(lines.at(-1)).toEqual(
    expect.stringMatching(
      /^Plan: 7 tables: 2 REFUSED, 1 to load, 1 to load again, 1 with changes, 1 quiet, 1 skipped; about \d+ rows, [\d.]+ kB to read\.$/,
    ),
  );
  for (const [word, side] of [
    ['from', 'source'],
    ['to', 'destination'],
  ] as const) {
    const { port, database } = pair.login(side);
    expect(lines).toContainEqual(
      expect.stringMatching(new RegExp(`^${word} +\\S+:${port}/${database}, schema public`)),
    );
  }
  expect(stdout).not.toContain('\u001b');
  // Some tables are refused; a missing privilege alone is 77, a missing table 78, and together they are neither.
  expect(exitCode).toBe(3);
  expect((await increp('plan unreadable gone', pair)).exitCode).toBe(1);
  expect((await increp('plan unreadable', pair)).exitCode).toBe(77);
  expect((await increp('plan gone --exit-code', pair)).exitCode).toBe(78);
});

test('the same as JSON, and sync does what was planned', async () => {
  await using pair = await zoo();
  const planned = await plan(pair);
  expect(planned.tables).toMatchObject([
    { name: 'orders', action: 'initial', loader: 'copy', estimated_rows: 10, cursor: null, error: null },
    { name: 'quiet', action: 'incremental', loader: null, looks_for_deletes: false },
    { name: 'changed', action: 'incremental' },
    { name: 'misshapen', action: 'reset', reason: expect.stringContaining('"extra"') },
    { name: 'off', action: 'skipped' },
    {
      name: 'unreadable',
      action: 'refused',
      error: { code: 'PRIVILEGE_MISSING', hint: expect.stringContaining('GRANT'), sqlstate: null },
    },
    { name: 'gone', action: 'refused', error: { code: 'TABLE_NOT_FOUND' } },
  ]);
  expect(planned.tables[1]?.['cursor']).toBe(planned.tables[1]?.['high_water_mark']);
  const done = await trySync(pair);
  expect(done.exitCode).toBe(3);
  expect(done.summary.tables.map(({ name, action, reason }) => ({ name, action, reason }))).toEqual(
    planned.tables.map(({ name, action, reason }) => ({
      name,
      action: action === 'refused' ? 'skipped' : action,
      reason,
    })),
  );
});

test('--exit-code tells whether there is something to do', async () => {
  await using pair = await freshPair('orders');
  const exitCodes = async () => [
    (await increp('plan', pair)).exitCode,
    (await increp('plan --exit-code', pair)).exitCode,
    (await increp('sync --dry-run', pair)).exitCode,
  ];
  expect(await exitCodes()).toEqual([0, 2, 0]);
  await sync(pair);
  expect(await exitCodes()).toEqual([0, 0, 0]);
  await insertOrders(pair, 1);
  expect(await exitCodes()).toEqual([0, 2, 0]);
  await sync(pair);
  expect((await increp('plan --exit-code --full-refresh', pair)).exitCode).toBe(2);
});

slowTest('the number of jobs is told if there are several', async () => {
  await using pair = await freshPair('orders');
  const tables = [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'missing' }];
  const told = '3 jobs: up to 3 tables are synced at the same time.';
  await pair.writeTables(tables);
  expect((await increp('plan', pair)).stdout).not.toContain('job');
  expect((await increp('sync -n --jobs 3', pair)).stdout).toContain(told);
  await pair.writeTables({ jobs: 3, tables });
  expect((await increp('plan', pair)).stdout).toContain(told);
  expect((await increp('plan --json', pair)).json()).toMatchObject({ jobs: 3 });
});

slowTest('flags of sync are planned with', async () => {
  await using pair = await freshPair({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, deletes: 'hard' }] });
  await sync(pair);
  expect((await plan(pair, '--full-refresh')).tables).toMatchObject([
    { action: 'full-refresh', reason: 'a full refresh was requested' },
  ]);
  expect((await plan(pair)).tables).toMatchObject([{ looks_for_deletes: false }]);
  expect((await plan(pair, '--deletes')).tables).toMatchObject([{ looks_for_deletes: true }]);
  expect((await plan(pair, '--deletes --exit-code')).exitCode).toBe(2);
  const { exitCode, stderr } = await increp('plan --exclude orders', pair);
  expect({ exitCode, stderr }).toEqual({ exitCode: 64, stderr: expect.stringContaining('leaves no table') });
});

testWithPgDump('a loader that gives way and a state that is out of step are noted', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'items', replication_key: 'at', unique_cols: ['id'] }],
    sourceSql: `CREATE TABLE base (id int, at timestamptz); CREATE VIEW items AS SELECT * FROM base`,
  });
  const { stdout } = await increp('plan', pair);
  expect(stdout).toContain('    note: loads by COPY instead of pg_dump: pg_dump writes no rows for a view');
});

const ITEMS = { name: 'items', replication_key: 'at', unique_cols: ['id'], initial_load: 'copy' };

/** An analyst's views on a copy whose column changes its type, or goes. */
async function builtOn(change: string): Promise<Pair> {
  const pair = await freshPair({
    tables: [ITEMS],
    sourceSql: `CREATE TABLE items (id int PRIMARY KEY, price int, at timestamptz DEFAULT now());
      INSERT INTO items VALUES (1, 2)`,
  });
  await sync(pair);
  const { user } = pair.login('destination', 'increp');
  await pair.destination
    .query(`CREATE ROLE analyst_${user}; GRANT CREATE, USAGE ON SCHEMA public TO analyst_${user};
    GRANT SELECT ON items TO analyst_${user}; SET ROLE analyst_${user};
    CREATE VIEW v_sales AS SELECT id, price FROM items; RESET ROLE`);
  await pair.source.query(change);
  return pair;
}

const dropAnalyst = (pair: Pair) =>
  pair.destination.query(
    `DROP OWNED BY analyst_${pair.login('destination', 'increp').user} CASCADE;
     DROP ROLE analyst_${pair.login('destination', 'increp').user}`,
  );

slowTest(
  'a reset that a view of somebody else would stop is told, and the grant that it names lets it pass',
  async () => {
    await using pair = await builtOn('ALTER TABLE items ALTER price TYPE bigint');
    const { user } = pair.login('destination', 'increp');
    const { tables } = await plan(pair);
    expect(tables[0]).toMatchObject({
      action: 'reset',
      dependents: [{ kind: 'view', name: 'public.v_sales', owner: `analyst_${user}`, can_move: false }],
      obstruction: { message: expect.stringContaining('increp may not move view public.v_sales') },
    });
    const { stdout } = await increp('plan', pair);
    expect(stdout).toContain(`    dependent objects: view public.v_sales (owner analyst_${user})\n`);
    expect(stdout).toContain('    would be refused: increp may not move view public.v_sales');
    expect(stdout).toMatch(/^x items .*\n[^]*Plan: 1 table: 1 WOULD BE REFUSED/);
    expect((await trySync(pair)).table().error?.code).toBe('DEPENDENT_OBJECTS');
    const [, grant] =
      /next: At the destination, run as a superuser or a role that may grant membership: (GRANT .*)/.exec(
        stdout,
      ) ?? [];
    await pair.destination.query(grant ?? 'none');
    expect((await plan(pair)).tables[0]).toMatchObject({
      dependents: [{ can_move: true }],
      obstruction: null,
    });
    await sync(pair);
    await dropAnalyst(pair);
  },
);

slowTest(
  'a view that uses a column which is gone is in the way, and one that does not is not, whoever owns it',
  async () => {
    await using pair = await builtOn('ALTER TABLE items DROP price');
    const { tables } = await plan(pair);
    expect(tables[0]).toMatchObject({
      obstruction: {
        message: expect.stringMatching(
          /view public\.v_sales.* uses column "price", which increp has to remove/,
        ),
        hint: expect.stringMatching(
          /^2\. At the destination, run as \S+ or a superuser: DROP VIEW public\.v_sales$/m,
        ),
      },
    });
    expect((await trySync(pair)).table().error?.code).toBe('DEPENDENT_OBJECTS');
    await dropAnalyst(pair);

    await using other = await builtOn('ALTER TABLE items ADD more int');
    expect((await plan(other)).tables[0]).toMatchObject({
      dependents: [{ can_move: false }],
      obstruction: null,
    });
    await sync(other);
    await dropAnalyst(other);
  },
);

slowTest(
  'what stays with its table is named: functions, publications, foreign keys, columns of its row type',
  async () => {
    await using pair = await freshPair({
      tables: [ITEMS],
      sourceSql: 'CREATE TABLE items (id int PRIMARY KEY, price int, at timestamptz)',
    });
    await sync(pair);
    await pair.destination.query(`CREATE FUNCTION cheap(items) RETURNS bool LANGUAGE sql AS 'SELECT true';
    CREATE PUBLICATION papers_${pair.login('destination', 'increp').user} FOR TABLE items;
    CREATE TABLE lines (item int, whole items);
    CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER "on Change" AFTER UPDATE OF price ON items FOR EACH ROW EXECUTE FUNCTION noop();
    CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM items`);
    await pair.source.query('ALTER TABLE items ALTER price TYPE bigint');
    const [table] = (await plan(pair)).tables;
    const dependents = table?.['dependents'] as { kind: string; name: string; can_move: boolean }[];
    const named = dependents.map(({ kind, name, can_move }) => `${kind} ${name} ${can_move}`);
    expect(named).toEqual([
      'function public.cheap(public.items) false',
      'materialized view public.totals false',
      expect.stringMatching(/^other column whole of .*lines, which has its row type false$/),
      expect.stringMatching(/^other publication papers_/),
      'trigger "on Change" true',
    ]);
    const { error } = (await trySync(pair)).table();
    expect(error?.code).toBe('DEPENDENT_OBJECTS');
    // A server refuses one object at a time, and the next step names all of them, as the plan does.
    const hint = error?.hint.replace('The old table stays in use. ', '');
    expect(table).toMatchObject({ obstruction: { hint } });
    expect(hint).toContain('run: DROP FUNCTION public.cheap(public.items)\n');
  },
);

/** Far behind what the planner knows of the table. */
async function pairWithNewRows(rows: number, sql = '') {
  const pair = await freshPair({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, lookback: '0s' }] });
  await pair.source.query(`CREATE INDEX by_time ON orders (updated_at); ANALYZE orders; ${sql}`);
  await sync(pair);
  await pair.source.query(`INSERT INTO orders (id, total, updated_at)
    SELECT i, 1, now() FROM generate_series(1000, ${999 + rows}) i`);
  return pair;
}

slowTest(
  'the rows of a window are counted by the index of the key, whatever the planner believes',
  async () => {
    await using pair = await pairWithNewRows(5000);
    const [table] = (await plan(pair)).tables;
    // With the ten that stand at the cursor.
    expect(table).toMatchObject({ action: 'incremental', table_rows: 10, estimated_rows: 5010 });
    expect(table?.['estimated_bytes']).toBeGreaterThan(5000 * 20);
    expect((await increp('plan', pair)).stdout).toMatch(/about 5,010 rows, [\d.]+ kB, from 20.* on$/m);
    await sync(pair);
    expect((await plan(pair)).tables[0]).toMatchObject({ estimated_rows: null });
  },
);

slowTest('no more than ten thousand are counted', async () => {
  await using pair = await pairWithNewRows(10_500);
  expect((await increp('plan', pair)).stdout).toMatch(
    /at least 10,000 rows, [\d.]+ kB, from 20[^]*; at least 10,000 rows, /,
  );
});

slowTest('without an index the planner is believed', async () => {
  await using pair = await pairWithNewRows(5000, 'DROP INDEX by_time');
  await pair.source.query('ANALYZE orders');
  const rows = Number((await plan(pair)).tables[0]?.['estimated_rows']);
  expect(rows).toBeGreaterThan(4000);
  expect(rows).toBeLessThanOrEqual(5010);
});

test('rows that the last sync has not read are work, also with an old key, and nothing else is', async () => {
  await using pair = await freshPair({
    tables: ['kept', 'again'].map((name) => ({ ...ORDERS_CONFIG, name, lookback: '1h' })),
    sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE kept (LIKE orders INCLUDING ALL);
      CREATE TABLE again (LIKE orders INCLUDING ALL); INSERT INTO kept (id) VALUES (1); INSERT INTO again (id) VALUES (1)`,
  });
  await sync(pair);
  await using proxy = await faultProxy(pair.login('source', 'increp'));
  await pair.setEnv({ SOURCE_PORT: String(proxy.port) });
  const before = await plan(pair, '--exit-code');
  expect(before.tables.map((table) => table['estimated_rows'])).toEqual([null, null]);
  expect(before.exitCode).toBe(0);
  // The rows of a quiet table are not counted.
  expect(proxy.heard(/EXPLAIN/)).toBe(0);
  await pair.source.query(`INSERT INTO again (id, updated_at) SELECT 2, updated_at FROM again`);
  const after = await plan(pair, '--exit-code');
  expect(after.tables).toMatchObject([
    { name: 'kept', estimated_rows: null, high_water_mark: before.tables[0]?.['high_water_mark'] },
    { name: 'again', estimated_rows: 2, high_water_mark: before.tables[1]?.['high_water_mark'] },
  ]);
  expect(after.exitCode).toBe(2);
  expect((await sync(pair)).table('again')).toMatchObject({ rows_inserted: 1 });
});

test('before a load, unique_cols that nothing at the source enforces are noted', async () => {
  await using pair = await freshPair({
    tables: [{ ...ORDERS_CONFIG, unique_cols: ['note'] }],
    sourceSql: String(ordersPreset.sourceSql),
  });
  const NOTE =
    'no constraint at the source keeps (note) unique and NOT NULL (one keeps (id)); of rows with the same key';
  expect((await increp('plan', pair)).stdout).toContain(NOTE);
  await sync(pair);
  expect((await increp('plan', pair)).stdout).not.toContain(NOTE);
});

test('rows of a small table are counted, and a missing state directory does not hide that it is quiet', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'small', replication_key: 'updated_at', unique_cols: ['id'] }],
    sourceSql: `CREATE TABLE small (id int PRIMARY KEY, v text, updated_at timestamptz NOT NULL DEFAULT now());
      INSERT INTO small SELECT i FROM generate_series(1, 2) i`,
  });
  await sync(pair);
  await rm(join(pair.directory, 'sync-state'), { recursive: true });
  expect((await increp('plan', pair)).stdout).toMatch(/^Plan: 1 table: 1 quiet\.$/m);
  await pair.source.query(`UPDATE small SET v = 'x'`);
  expect((await increp('plan', pair)).stdout).toMatch(/ about 2 rows, \d+ B/);
});
