/** A destination table with rows that increp did not write: no run touches it before somebody has said what is to become of it. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { expectRefusal } from '../support/refusal.ts';
import { freshSeveral } from '../support/several.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const ONLY_HERE = `INSERT INTO orders VALUES (100000, 1, 'only here', now())`;
const THERE = `${ORDERS_SQL}; ${ONLY_HERE}`;
const withTable = (options: object = {}) => freshPair({ ...ordersPreset, destinationSql: THERE, ...options });

const rowsThere = async (pair: Pair, table = 'orders') =>
  (await pair.destination.query<{ id: string }>(`SELECT id FROM ${table} ORDER BY id`)).rows.map(
    ({ id }) => id,
  );

test('sync, plan and check stop at it, with both addresses and the two ways on, and write nothing', async () => {
  await using pair = await withTable();
  const said = {
    exitCode: 1,
    code: 'DESTINATION_NOT_OURS',
    what: ['public.orders at the destination has 1 row, and increp has no state of it'],
    next: /^[^]*Rows go from [^ ]+:\d+\/\w+ to [^ ]+:\d+\/\w+\. If that is the wrong direction[^]*sync orders --adopt["\n][^]*sync orders --replace["\n]/,
  };
  for (const args of ['sync', 'sync --full-refresh', 'sync orders --full-refresh', 'sync --deletes --force'])
    await expectRefusal(pair, said, args);
  const plan = await increp('plan', pair);
  expect(plan.exitCode).toBe(1);
  expect(plan.stdout.replaceAll(/\s+/g, ' ')).toMatch(
    /refused .*has 1 row, and increp has no state .* would replace its rows .*--adopt/,
  );
  const check = await increp('check --json', pair);
  expect(check.exitCode).toBe(1);
  expect(check.stdout).toContain('"DESTINATION_NOT_OURS"');
  expect(await rowsThere(pair)).toEqual(['100000']);
});

test('a table without the columns of the key is not ours either, and --replace loads it', async () => {
  await using pair = await withTable({
    destinationSql: `CREATE TABLE orders (x int, other text); INSERT INTO orders VALUES (1, 'only here')`,
  });
  for (const args of ['check', 'plan', 'sync', 'sync --full-refresh', 'sync orders --adopt']) {
    const { stdout, stderr } = await increp(`${args} --json`, pair);
    expect(stdout).toContain('"DESTINATION_NOT_OURS"');
    expect(stdout + stderr).not.toMatch(/DROP|SCHEMA_CHANGE_REFUSED/);
  }
  expect((await sync(pair, 'orders --replace')).table()).toMatchObject({ rows_inserted: 10 });
  await expectSameRows(pair, 'orders');
  // Now the column of a user is in a table of increp.
  await pair.destination.query(`UPDATE orders SET other = 'mine'; ALTER TABLE orders DROP id CASCADE`);
  expect((await trySync(pair)).table().error?.code).toBe('SCHEMA_CHANGE_REFUSED');
});

test('a reset does not make it ours', async () => {
  await using pair = await withTable();
  for (let time = 0; time < 2; time += 1) {
    const reset = await increp('reset orders', pair);
    expect(reset.stdout).toContain('orders: there was no saved state');
    expect((await trySync(pair)).table().error?.code).toBe('DESTINATION_NOT_OURS');
  }
  expect(await rowsThere(pair)).toEqual(['100000']);
  // The sides may be swapped, and a table of increp at the source would make the next advice wrong.
  const { rows } = await pair.destination.query(`SELECT to_regclass('_increp_state') AS state`);
  expect(rows).toEqual([{ state: null }]);
});

slowTest('a state file of another database does not make it ours, nor does a reset there', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await using other = await withTable();
  const { host, port, database, user, password } = other.login('destination', 'increp');
  const there = {
    env: {
      ...{ DEST_HOST: host, DEST_PORT: String(port), DEST_DB: database },
      ...{ DEST_USERNAME: user, DEST_PASSWORD: password },
    },
  };
  for (const args of ['plan', 'reset orders', 'sync']) {
    const { stdout } = await increp(args, pair, there);
    if (args === 'plan') expect(stdout).toMatch(/no state of it \(the state file is about database "\w+"\)/);
    if (args === 'reset orders') expect(stdout).toContain('there was no saved state');
    if (args === 'sync') expect(stdout).toContain('DESTINATION_NOT_OURS');
  }
  expect(await rowsThere(other)).toEqual(['100000']);
  await other.destination.query('DROP TABLE orders');
  await rm(join(pair.directory, 'sync-state'), { recursive: true });
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
  await other.destination.query('DROP TABLE _increp_state');
  const refused = await increp('sync --json', pair, there);
  expect(refused.stdout).toContain(`"STATE_MISMATCH"`);
  expect(refused.stdout).toContain(`where this pipeline has written nothing yet`);
  const { rows } = await other.destination.query(`SELECT to_regclass('orders') AS orders`);
  expect(rows).toEqual([{ orders: null }]);
  expect((await sync(pair, '--full-refresh', there)).table()).toMatchObject({
    action: 'initial',
    reason: expect.stringContaining('the state file belongs to another destination'),
  });
  expect((await sync(pair, '', there)).table()).toMatchObject({ action: 'incremental' });
});

test('a new table is not loaded into a database that is wrong for the others', async () => {
  const items = { name: 'items', replication_key: 'at', unique_cols: ['id'] };
  await using pair = await freshPair({
    tables: [ORDERS_CONFIG, items],
    sourceSql: `${ORDERS_SQL}; CREATE TABLE items (id int PRIMARY KEY, at timestamptz DEFAULT now())`,
  });
  await sync(pair, 'orders');
  await using other = await freshPair({});
  const { host, port, database, user, password } = other.login('destination', 'increp');
  const env = {
    ...{ DEST_HOST: host, DEST_PORT: String(port), DEST_DB: database },
    ...{ DEST_USERNAME: user, DEST_PASSWORD: password },
  };
  const plan = await increp('plan', pair, { env });
  expect(plan.stdout).toContain('2 tables: 2 REFUSED');
  expect((await trySync(pair, 'items', { env })).table().error?.code).toBe('STATE_MISMATCH');
  const refused = await trySync(pair, '', { env });
  expect(refused.summary.tables.map(({ error }) => error?.code)).toEqual([
    'STATE_MISMATCH',
    'STATE_MISMATCH',
  ]);
  const { rows } = await other.destination.query(`SELECT to_regclass('_increp_state') AS state`);
  expect(rows).toEqual([{ state: null }]);
  // A GRANT in the wrong database would not help.
  await other.destination.query(
    `ALTER DATABASE ${database} OWNER TO CURRENT_USER; REVOKE CREATE ON SCHEMA public FROM PUBLIC, "${user}"`,
  );
  const wrong = await trySync(pair, '', { env });
  expect(wrong.table('items').error?.code).toBe('STATE_MISMATCH');
  const forced = await trySync(pair, '--full-refresh', { env });
  expect(forced.table('items').error?.message).toContain(`(database "${database}")`);
  await other.destination.query(`ALTER DATABASE ${database} OWNER TO "${user}"`);
  expect((await sync(pair, '--full-refresh', { env })).table('items')).toMatchObject({ action: 'initial' });
});

test('a misspelt DEST_SCHEMA loads nothing, not even one new table, unless the schema of the tables is gone', async () => {
  const items = { name: 'items', replication_key: 'at', unique_cols: ['id'] };
  await using pair = await freshPair({
    tables: [ORDERS_CONFIG, items],
    sourceSql: `${ORDERS_SQL}; CREATE TABLE items (id int PRIMARY KEY, at timestamptz DEFAULT now())`,
  });
  await pair.setEnv({ DEST_SCHEMA: 'analytics' });
  await sync(pair, 'orders');
  const env = { DEST_SCHEMA: 'analytcs' };
  for (const args of ['items', '']) {
    const { summary } = await trySync(pair, args, { env });
    for (const { error } of summary.tables)
      expect(error).toMatchObject({
        code: 'STATE_MISMATCH',
        message: expect.stringContaining(
          '"analytcs" (DEST_SCHEMA), where this pipeline has written nothing yet',
        ),
        hint: expect.stringContaining('set DEST_SCHEMA to "analytics" again'),
      });
  }
  const { rows } = await pair.destination.query(`SELECT to_regnamespace('analytcs') AS schema`);
  expect(rows).toEqual([{ schema: null }]);
  // A table with a schema of its own may move.
  await pair.writeTables([{ ...ORDERS_CONFIG, dest_schema: 'own' }, items]);
  expect((await sync(pair, 'orders')).table()).toMatchObject({ action: 'initial' });
  await pair.writeTables([ORDERS_CONFIG, items]);
  await sync(pair);
  expect((await increp('plan --full-refresh items', pair, { env })).stdout).toContain(
    'CREATE SCHEMA IF NOT EXISTS "analytcs"',
  );
  expect((await sync(pair, '--full-refresh items', { env })).table()).toMatchObject({
    action: 'initial',
    warnings: [expect.stringContaining('the former destination table analytics.items stays')],
  });
  expect((await sync(pair, '', { env })).table('orders')).toMatchObject({ action: 'initial' });
  await pair.destination.query('DROP SCHEMA analytcs CASCADE; DROP SCHEMA analytics CASCADE');
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial' });
});

/** The variables of a pair whose source and destination are exchanged. */
function swappedSides(pair: Pair): Record<string, string> {
  const variables = (
    prefix: string,
    { host, port, database, user, password }: ReturnType<Pair['login']>,
  ) => ({
    [`${prefix}_HOST`]: host,
    [`${prefix}_PORT`]: String(port),
    [`${prefix}_DB`]: database,
    [`${prefix}_USERNAME`]: user,
    [`${prefix}_PASSWORD`]: password,
  });
  return {
    ...variables('SOURCE', pair.login('destination')),
    ...variables('DEST', pair.login('source')),
  };
}

test('after source and destination were exchanged no command writes, and a reset is refused', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('DELETE FROM orders WHERE id > 2');
  await pair.setEnv(swappedSides(pair));
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'STATE_MISMATCH',
    message: expect.stringMatching(/^source and destination are swapped/),
    hint: 'Exchange the SOURCE_ and DEST_ settings. Nothing was changed.',
  });
  const refused = await increp('reset orders --force', pair);
  expect({ exitCode: refused.exitCode, stderr: refused.stderr }).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/^error: source and destination are swapped: according to the state in/),
  });
  // The role may write there.
  const isUntouched = `SELECT to_regclass('_increp_state') IS NULL AS "isUntouched"`;
  expect((await pair.source.query(isUntouched)).rows).toEqual([{ isUntouched: true }]);
  const checked = await increp('check', pair);
  expect(checked.stdout).toContain('source and destination are swapped');
  expect(checked.stdout).not.toMatch(/At the (source|destination), run/);
  await rm(join(pair.directory, 'sync-state'), { recursive: true });
  expect((await increp('reset --all --force', pair)).stderr).toMatch(
    /^error: source and destination are swapped: the source has the state of pipeline/,
  );
  expect((await pair.source.query(isUntouched)).rows).toEqual([{ isUntouched: true }]);
  for (const flags of ['', 'orders --adopt', 'orders --replace', 'orders --full-refresh']) {
    const { error } = (await trySync(pair, flags)).table();
    expect(error, flags).toMatchObject({
      code: 'STATE_MISMATCH',
      message: expect.stringMatching(
        /^source and destination are swapped: the source has the state of pipeline/,
      ),
      hint: expect.not.stringContaining('--replace') as unknown,
    });
  }
  expect((await increp('plan', pair)).stdout).toContain('source and destination are swapped');
  expect((await pair.source.query('SELECT FROM orders')).rowCount).toBe(10);
});

test('all tables of swapped sides have the same error, also after a reset', async () => {
  const names = ['orders', 'Odd Name', 'big'];
  await using pair = await freshPair({
    ...ordersPreset,
    sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE "Odd Name" (LIKE orders INCLUDING ALL); CREATE TABLE big (LIKE orders INCLUDING ALL)`,
    tables: names.map((name) => ({ ...ORDERS_CONFIG, name })),
  });
  await sync(pair);
  await increp('reset big', pair);
  await rm(join(pair.directory, 'sync-state', 'big.json'), { force: true });
  await pair.setEnv(swappedSides(pair));
  const { tables } = (await trySync(pair)).summary;
  expect(tables.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  expect(new Set(tables.map(({ error }) => error?.message)).size).toBe(1);
  expect(new Set(tables.map(({ error }) => error?.hint))).toEqual(
    new Set(['Exchange the SOURCE_ and DEST_ settings. Nothing was changed.']),
  );
});

slowTest(
  'tables of every batch have the error of swapped sides that the state of one table shows',
  async () => {
    const names = Array.from({ length: 120 }, (_, index) => `t${index}`);
    await using pair = await freshPair({
      ...ordersPreset,
      sourceSql: `${String(ordersPreset.sourceSql)}; ${names.map((name) => `CREATE TABLE ${name} (LIKE orders INCLUDING ALL)`).join('; ')}`,
      tables: names.map((name) => ({ ...ORDERS_CONFIG, name })),
    });
    await sync(pair, 't119');
    await pair.setEnv(swappedSides(pair));
    const { tables } = (await trySync(pair)).summary;
    expect(tables).toHaveLength(120);
    expect(new Set(tables.map(({ error }) => error?.message))).toEqual(
      new Set([expect.stringMatching(/^source and destination are swapped: according to the state in/)]),
    );
  },
);

test('swapped sides say so of a table with another name at the destination, too', async () => {
  await using pair = await freshPair('orders');
  await pair.writeTables([{ ...ORDERS_CONFIG, dest_name: 'w_orders' }]);
  await sync(pair);
  await pair.setEnv(swappedSides(pair));
  const isSwapped = /^source and destination are swapped: according to the state in/;
  expect((await trySync(pair)).table().error?.message).toMatch(isSwapped);
  expect((await increp('reset orders --force', pair)).stderr).toContain('source and destination are swapped');
});

test.each(oneIn(2, ['--adopt', '--replace']))(
  '%s needs --force if the source has the state of a pipeline',
  async (flag) => {
    await using pair = await freshPair({
      ...ordersPreset,
      destinationSql: `${ORDERS_SQL}; INSERT INTO orders VALUES (3, 1, 'theirs')`,
    });
    await pair.source.query(
      `CREATE SCHEMA other; CREATE TABLE other._increp_state (table_name text, pipeline text, record jsonb)`,
    );
    const { error } = (await trySync(pair, `orders ${flag}`)).table();
    expect(error).toMatchObject({ code: 'DESTINATION_NOT_OURS' });
    expect(error?.hint).toMatch(
      new RegExp(`Rows go from .*If it is right, run "increp sync orders ${flag} --force"`),
    );
    expect((await increp(`plan orders ${flag}`, pair)).stdout).toContain('are probably swapped');
    expect((await pair.destination.query(`SELECT FROM orders`)).rowCount).toBe(1);
    await sync(pair, `orders ${flag} --force`);
    await expectSameRows(pair, 'orders');
  },
);

slowTest('an opposite pipeline with another name is not taken for swapped sides', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(
    'CREATE TABLE back (id int PRIMARY KEY, updated_at timestamptz DEFAULT now())',
  );
  await pair.destination.query('INSERT INTO back VALUES (1)');
  const { user } = pair.login('destination');
  await pair.destination.query(`ALTER TABLE back OWNER TO ${user}`);
  await pair.setEnv({ ...swappedSides(pair), PIPELINE_NAME: 'opposite' });
  await pair.writeTables([{ name: 'back', replication_key: 'updated_at', unique_cols: ['id'] }]);
  expect((await trySync(pair)).table().error?.code).not.toBe('STATE_MISMATCH');
});

slowTest('swapped sides say so before anything about names and privileges', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.setEnv(swappedSides(pair));
  await rm(join(pair.directory, 'sync-state'), { recursive: true });
  await pair.source.query('DROP TABLE orders; REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  const { error } = (await trySync(pair)).table();
  expect(error?.message).toMatch(/^source and destination are swapped/);
  expect((await pair.source.query(`SELECT to_regclass('_increp_state') AS there`)).rows).toEqual([
    { there: null },
  ]);
});

test('the flags need the names of tables, and do not go together', async () => {
  await using pair = await withTable();
  for (const [args, words] of [
    ['sync --adopt', '--adopt needs the names of the tables'],
    ['sync --adopt', 'Check the names, then run:\n          increp sync orders --adopt'],
    ['sync ord* --adopt', 'Check the names, then run:\n          increp sync orders --adopt'],
    ['sync --replace', '--replace needs the names of the tables'],
    ['plan --replace', '--replace needs the names of the tables'],
    ['sync ord* --replace', '"ord*" is a pattern'],
    ['sync orders --replace --adopt', 'contradict each other'],
    ['sync orders --adopt --full-refresh', 'contradict each other'],
    ['sync orders --replace --watch 1s', 'contradict each other'],
  ] as const) {
    const { exitCode, stderr } = await increp(args, pair);
    expect(exitCode, args).toBe(64);
    expect(stderr, args).toContain(words);
  }
  expect(await rowsThere(pair)).toEqual(['100000']);
});

test('--adopt keeps the table and repairs what differs, and the next sync goes on from there', async () => {
  await using pair = await withTable({ destinationSql: ORDERS_SQL });
  await pair.destination.query(`
    ALTER TABLE orders ADD COLUMN mine text DEFAULT 'kept';
    INSERT INTO orders SELECT id, id * 1.25, 'order ' || id, now() FROM generate_series(1, 8) id;
    INSERT INTO orders VALUES (77, 1, 'only here', now());
    CREATE VIEW large AS SELECT * FROM orders WHERE total > 5`);
  const { rows } = await pair.destination.query(`SELECT 'orders'::regclass::oid AS oid`);
  const now = await pair.source.query<{ at: string }>(`SELECT updated_at::text AS at FROM orders LIMIT 1`);
  await pair.destination.query('UPDATE orders SET updated_at = $1 WHERE id < 8', [now.rows[0]?.at]);
  const plan = await increp('plan orders --adopt', pair);
  expect(plan.stdout).toMatch(/initial +the destination table is adopted: compared with the source by key/);
  expect((await sync(pair, 'orders --adopt')).table()).toMatchObject({
    action: 'initial',
    loader: null,
    rows_read: 3,
    rows_inserted: 2,
    rows_updated: 1,
    rows_unchanged: 7,
    rows_deleted: 1,
  });
  expect((await pair.destination.query(`SELECT 'orders'::regclass::oid AS oid`)).rows).toEqual(rows);
  expect((await pair.destination.query('SELECT FROM large')).rowCount).toBe(6);
  await expectSameRows(pair, 'orders');
  await insertOrders(pair, 1);
  expect((await sync(pair, 'orders --adopt')).table()).toMatchObject({
    action: 'incremental',
    rows_inserted: 1,
  });
  await expectSameRows(pair, 'orders');
});

slowTest('--replace loads it again, whatever its shape', async () => {
  await using pair = await withTable({
    destinationSql: `CREATE TABLE orders (id text, other int); INSERT INTO orders VALUES ('100000', 1)`,
  });
  const hint = (await trySync(pair)).table().error?.hint;
  expect(hint).toMatch(
    /"dest_name"\.\nincrep cannot keep orders and repair its rows \(--adopt\): column "id" is text/,
  );
  expect(hint).toMatch(/run "increp sync orders --replace"\.$/);
  expect(hint).not.toContain('orders --adopt');
  expect((await increp('sync --adopt', pair)).stderr).toContain('none of these tables can be adopted');
  const plan = await increp('plan orders --replace', pair);
  expect(plan.stdout).toMatch(/the\s+destination\s+table\s+and\s+its\s+1\s+row\s+are\s+replaced/);
  const adopt = await trySync(pair, 'orders --adopt');
  expect(adopt.table().error).toMatchObject({ code: 'DESTINATION_NOT_OURS' });
  expect(adopt.table().error?.message).toContain('cannot be adopted as it is: column "id" is text');
  expect((await sync(pair, 'orders --replace')).table()).toMatchObject({
    action: 'initial',
    rows_inserted: 10,
  });
  await expectSameRows(pair, 'orders');
  const again = await sync(pair, 'orders --replace');
  expect(again.table().action).toBe('incremental');
  expect(again.table().reason).toContain('--replace has no effect; to load the table again, run');
});

slowTest(
  'a table without the index of the key is given one, and one with doubles is not adopted',
  async () => {
    await using pair = await withTable({
      destinationSql: `CREATE TABLE orders (id bigint, total numeric(12,2), note text, updated_at timestamptz);
      INSERT INTO orders VALUES (1, 1, 'twice', now()), (1, 2, 'twice', now())`,
    });
    const { error } = (await trySync(pair, 'orders --adopt')).table();
    expect(error).toMatchObject({ code: 'MERGE_KEY_NOT_UNIQUE' });
    expect(error?.hint).toContain('increp sync orders --replace');
    await pair.destination.query('DELETE FROM orders WHERE total = 2');
    await sync(pair, 'orders --adopt --verify');
    await expectSameRows(pair, 'orders');
    await insertOrders(pair, 1);
    expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
  },
);

slowTest(
  'an empty table is filled as ever, and a table whose state is gone on both sides is not ours any more',
  async () => {
    await using pair = await withTable({ destinationSql: ORDERS_SQL });
    await sync(pair);
    await rm(join(pair.directory, 'sync-state'), { recursive: true });
    await pair.destination.query('DELETE FROM _increp_state');
    expect((await trySync(pair)).table().error?.code).toBe('DESTINATION_NOT_OURS');
    expect((await sync(pair, 'orders --adopt')).table()).toMatchObject({ rows_unchanged: 10, rows_read: 0 });
  },
);

test('the other tables of the run are synced', async () => {
  await using pair = await withTable({
    tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'other' }],
    sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE other (LIKE orders INCLUDING ALL); INSERT INTO other SELECT * FROM orders`,
  });
  const { exitCode, table } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(table('orders').error?.code).toBe('DESTINATION_NOT_OURS');
  expect(table('other')).toMatchObject({ status: 'ok', rows_inserted: 10 });
});

slowTest('by whatever name and in whatever schema it stands there, and by a pattern', async () => {
  for (const [tables, place] of [
    [[{ ...ORDERS_CONFIG, dest_name: 'bills' }], 'bills'],
    [[{ ...ORDERS_CONFIG, dest_schema: 'away' }], 'away.orders'],
    [[{ ...ORDERS_CONFIG, name: 'ord*' }], 'orders'],
    [[{ ...ORDERS_CONFIG, chunk: '64kB', initial_load: 'copy' }], 'orders'],
  ] as const) {
    await using pair = await freshPair({ ...ordersPreset, tables: [...tables] });
    const { user } = pair.login('destination', 'increp');
    await pair.destination.query(`CREATE SCHEMA away AUTHORIZATION ${user};
      CREATE TABLE ${place} (id bigint PRIMARY KEY, total numeric(12,2), note text, updated_at timestamptz);
      ALTER TABLE ${place} OWNER TO ${user}; ${ONLY_HERE.replace('orders', place)}`);
    expect((await trySync(pair)).table().error?.code).toBe('DESTINATION_NOT_OURS');
    expect(await rowsThere(pair, place)).toEqual(['100000']);
    await sync(pair, 'orders --replace');
    expect(await rowsThere(pair, place)).toHaveLength(10);
  }
});

const MODES = [
  [{ mode: 'incremental-append' }, 11],
  [{ on_conflict: 'last_update_wins' }, 11],
  [{ metadata_columns: ['_source'] }, 10],
  [{ deletes: 'soft' }, 11],
  [{ mode: 'full-refresh' }, 10],
  [{ mode: 'full-refresh', unique_cols: undefined }, 10],
] as const;
const IN_EACH_MODE = ['--adopt', '--replace'].flatMap((flag) =>
  MODES.map(([more, left]) => ({ flag, more, left, what: JSON.stringify(more) })),
);

test.each(oneIn(12, IN_EACH_MODE))('$flag in each mode: $what', async ({ flag, more, left }) => {
  const { replication_key, ...plain } = ORDERS_CONFIG;
  const config = 'mode' in more && more.mode === 'full-refresh' ? plain : { ...plain, replication_key };
  await using pair = await withTable({ tables: [{ ...config, ...more }] });
  expect((await trySync(pair)).table().error?.code).toBe('DESTINATION_NOT_OURS');
  expect(await rowsThere(pair)).toEqual(['100000']);
  // The one row that is there is above any limit.
  const result = await trySync(pair, `orders ${flag} --force`);
  expect(result.exitCode, result.stdout).toBe(0);
  expect(await rowsThere(pair)).toHaveLength(left);
  expect((await trySync(pair)).exitCode).toBe(0);
});

slowTest('of several destinations only the one that has such a table stops', async () => {
  await using pair = await freshSeveral('orders');
  await pair
    .copy('two')
    .pool.query(`${THERE}; ALTER TABLE orders OWNER TO ${pair.copy('two').side.increp.user}`);
  const { exitCode, summary } = await trySync(pair);
  expect(exitCode).toBe(3);
  expect(summary.tables.map(({ error }) => error?.code)).toEqual([undefined, 'DESTINATION_NOT_OURS']);
  await sync(pair, 'orders --adopt --force');
  await pair.expectAllSame('orders');
});
