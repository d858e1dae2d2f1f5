/** Copies that are not what they should be: found, named by key, and mended without touching anything else. */
import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { countWaits } from '../support/round-trips.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

interface TableVerdict {
  readonly status: 'equal' | 'different' | 'failed';
  readonly error?: { readonly code: string };
  readonly [field: string]: unknown;
}

async function verify(pair: Pair, args = '') {
  const result = await increp(`verify --json ${args}`, pair);
  const { tables } = result.json<{ tables: TableVerdict[] }>();
  return { exitCode: result.exitCode, table: tables[0], tables };
}

const NONE = { missing: 0, extra: 0, changed: 0, duplicated: 0 };
const EQUAL = { exitCode: 0, table: { status: 'equal', ...NONE } };

/** Keys that lie well below the cursor, so that no window of a sync would read them again. */
const oldOrders = (rows: number, more: object = {}): PairOptions => ({
  tables: [{ ...ORDERS_CONFIG, ...more }],
  sourceSql: `${ORDERS_SQL}; INSERT INTO orders
    SELECT i, 1.0, CASE WHEN i % 7 = 0 THEN NULL WHEN i % 7 = 1 THEN '' ELSE 'order ' || i END,
      now() - (${rows} - i) * interval '1 hour' FROM generate_series(1, ${rows}) i`,
});

/** Where every row is, and since which transaction. */
const placesOf = async (pair: Pair, where: string) =>
  (await pair.destination.query(`SELECT id, ctid::text, xmin::text FROM orders WHERE ${where} ORDER BY id`))
    .rows;

test('a copy that is right is called equal, with the rows of both sides', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  expect(await verify(pair)).toMatchObject({
    exitCode: 0,
    table: {
      ...EQUAL.table,
      rows_source: 10,
      rows_destination: 10,
      repaired: null,
      first_keys: { missing: [] },
    },
  });
  const { stdout } = await increp('verify', pair);
  expect(stdout).toMatch(/^= orders {2}equal: 10 rows at the source, 10 at the destination \(\d/);
});

/** What a hand does at the destination, and what of it is found. */
const PLANTED: readonly (readonly [
  what: string,
  change: string,
  kind: keyof typeof NONE,
  keys: string[][],
])[] = [
  ['a missing row', 'DELETE FROM orders WHERE id IN (3, 4)', 'missing', [['3'], ['4']]],
  ['an extra row', `INSERT INTO orders VALUES (-5, 1, '', '2020-01-01')`, 'extra', [['-5']]],
  [
    'an extra row above the cursor',
    `INSERT INTO orders VALUES (999, 1, '', now() + interval '1 h')`,
    'extra',
    [['999']],
  ],
  [
    'NULL instead of an empty text',
    `UPDATE orders SET note = NULL WHERE note = '' AND id = 8`,
    'changed',
    [['8']],
  ],
  ['an empty text instead of NULL', `UPDATE orders SET note = '' WHERE id = 7`, 'changed', [['7']]],
  ['a trailing space', `UPDATE orders SET note = note || ' ' WHERE id = 5`, 'changed', [['5']]],
  [
    'another key time',
    `UPDATE orders SET updated_at = updated_at + interval '1 us' WHERE id = 5`,
    'changed',
    [['5']],
  ],
  ['another key', `UPDATE orders SET id = 1000 WHERE id = 5`, 'missing', [['5']]],
];

test('whatever is planted is found by key, and --repair mends it and touches nothing else', async () => {
  await using pair = await freshPair(oldOrders(30));
  await sync(pair);
  for (const [what, change, kind, keys] of PLANTED) {
    await pair.destination.query(change);
    const others = `id NOT IN (${keys.flat().join(', ')}, 1000)`;
    const untouched = await placesOf(pair, others);
    const isMoved = what === 'another key';
    expect(await verify(pair), what).toMatchObject({
      exitCode: 2,
      table: {
        status: 'different',
        ...NONE,
        [kind]: keys.length,
        first_keys: { [kind]: expect.arrayContaining(keys) },
        ...(isMoved ? { extra: 1 } : {}),
      },
    });
    expect(await verify(pair, '--repair'), what).toMatchObject({
      ...EQUAL,
      table: {
        repaired: {
          inserted: kind === 'missing' ? keys.length : 0,
          updated: kind === 'changed' ? keys.length : 0,
          removed: kind === 'extra' || isMoved ? 1 : 0,
        },
      },
    });
    await expectSameRows(pair, 'orders');
    expect(await placesOf(pair, others), what).toEqual(untouched);
  }
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 0 });
});

slowTest('a person reads the same: what differs, the first keys, and what was done', async () => {
  await using pair = await freshPair(oldOrders(30));
  await sync(pair);
  await pair.destination.query(`DELETE FROM orders WHERE id < 10; UPDATE orders SET note = 'x' WHERE id = 20;
    INSERT INTO orders VALUES (-5, 1, '', '2020-01-01')`);
  const found = await increp('verify', pair);
  expect(found.exitCode).toBe(2);
  expect(found.stdout).toMatch(/^! orders {2}DIFFERENT: 30 rows at the source, 22 at the destination/);
  expect(found.stdout).toMatch(/^ {4}9 missing at the destination: (\["\d"\], ){5}…$/m);
  expect(found.stdout).toMatch(/^ {4}1 only at the destination .*: \["-5"\]$/m);
  expect(found.stdout).toMatch(/^ {4}1 with different content: \["20"\]$/m);
  const repaired = await increp('verify --repair', pair);
  expect(repaired.exitCode, repaired.stdout).toBe(0);
  expect(repaired.stdout).toMatch(/^= orders {2}equal: 30 rows/);
  expect(repaired.stdout).toContain('repaired: 9 inserted, 1 updated, 1 removed');
});

test('rows that only the destination has twice are repaired by the command that verify prints', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(`ALTER TABLE orders DROP CONSTRAINT orders_pkey;
    INSERT INTO orders SELECT * FROM orders WHERE id IN (3, 4)`);
  const { stdout, exitCode } = await increp('verify', pair);
  expect(exitCode).toBe(2);
  expect(stdout).toMatch(
    /2 with a unique key that occurs more than once at the destination: \["\d"\], \["\d"\]\n/,
  );
  expect(stdout).not.toContain('correct them at the source');
  expect(stdout).toMatch(/DIFFERENT orders: increp (-C \S+ )?verify orders --repair$/m);
  expect(await verify(pair, '--repair')).toMatchObject(EQUAL);
  await expectSameRows(pair, 'orders');
});

slowTest('a duplicated row is found and mended, whether or not one of the two is right', async () => {
  await using pair = await freshPair(oldOrders(30));
  await sync(pair);
  await pair.destination.query(`ALTER TABLE orders DROP CONSTRAINT orders_pkey;
    INSERT INTO orders SELECT * FROM orders WHERE id IN (3, 4);
    INSERT INTO orders VALUES (5, 0, 'wrong', '2020-01-01'); UPDATE orders SET note = 'wrong, too' WHERE id = 5;
    INSERT INTO orders VALUES (-1, 0, 'extra', '2020-01-01'), (-1, 0, 'extra', '2020-01-01')`);
  const untouched = await placesOf(pair, 'id NOT IN (3, 4, 5, -1)');
  expect(await verify(pair)).toMatchObject({
    exitCode: 2,
    table: {
      missing: 0,
      extra: 1,
      changed: 1,
      duplicated: 4,
      first_keys: { changed: [['5']], extra: [['-1']] },
    },
  });
  expect(await verify(pair, '--repair')).toMatchObject(EQUAL);
  await expectSameRows(pair, 'orders');
  expect(await placesOf(pair, 'id NOT IN (3, 4, 5, -1)')).toEqual(untouched);
  // And the index is made again.
  await insertOrders(pair, 1);
  expect((await sync(pair)).table()).toMatchObject({
    action: 'incremental',
    rows_inserted: 1,
    rows_updated: 0,
  });
});

slowTest('damage to the newest rows is no news from the source', async () => {
  // All of one transaction, so that every row lies exactly at the cursor.
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(`DELETE FROM orders WHERE id = 3; UPDATE orders SET note = 'x' WHERE id = 4`);
  const found = { missing: 1, changed: 1, first_keys: { missing: [['3']], changed: [['4']] } };
  expect(await verify(pair)).toMatchObject({ exitCode: 2, table: found });
  const client = await pair.source.connect();
  await client.query(`BEGIN; SAVEPOINT a; INSERT INTO orders (id) VALUES (50); RELEASE a; COMMIT`);
  client.release();
  await pair.source.query(`UPDATE orders SET note = 'y', updated_at = now() WHERE id = 5`);
  await pair.source.query('VACUUM FREEZE orders');
  expect(await verify(pair)).toMatchObject({ exitCode: 2, table: found });
  expect(await verify(pair, '--repair')).toMatchObject({
    ...EQUAL,
    table: { repaired: { inserted: 1, updated: 1 } },
  });
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, rows_updated: 1 });
  await expectSameRows(pair, 'orders');
});

slowTest('of many tables and many differences each is told, by the first keys', async () => {
  await using pair = await freshPair({
    tables: ['orders', 'others', 'third'].map((name) => ({ ...ORDERS_CONFIG, name })),
    sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE others AS TABLE orders; CREATE TABLE third AS TABLE orders`,
  });
  await sync(pair, '--exclude third');
  await pair.destination.query('DELETE FROM others WHERE id > 2');
  const { exitCode, tables } = await verify(pair);
  expect(exitCode).toBe(2);
  expect(tables).toMatchObject([
    { name: 'orders', status: 'equal' },
    { name: 'others', status: 'different' },
    {
      name: 'third',
      status: 'failed',
      error: { code: 'NOT_SYNCED', hint: 'First run "increp sync third".' },
    },
  ]);
  expect(await verify(pair, 'orders others')).toMatchObject({ exitCode: 2 });
});

test('a repair that meets a full disk leaves no rows in the staging table', async () => {
  await using pair = await freshPair(oldOrders(500));
  await sync(pair);
  await insertOrders(pair, 1);
  await sync(pair);
  await pair.destination.query(`DELETE FROM orders WHERE id < 400; CREATE FUNCTION refuse() RETURNS trigger
    LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END$$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION refuse()`);
  const { table } = await verify(pair, '--repair');
  expect(table?.error).toMatchObject({
    code: 'DISK_FULL',
    hint: expect.stringMatching(
      / increp has emptied public\.orders_stg, so no rows take space there\.$/,
    ) as string,
  });
  const size = await pair.destination.query(`SELECT pg_relation_size('orders_stg')::int AS size`);
  expect(size.rows).toEqual([{ size: 0 }]);
});

slowTest('more differences than one batch of keys holds are mended', async () => {
  await using pair = await freshPair(oldOrders(5000));
  await sync(pair);
  await pair.destination
    .query(`DELETE FROM orders WHERE id % 4 = 0; UPDATE orders SET total = 7 WHERE id % 4 = 1;
    INSERT INTO orders SELECT -i, 0, '', '2020-01-01' FROM generate_series(1, 2500) i`);
  expect(await verify(pair)).toMatchObject({ table: { missing: 1250, extra: 2500, changed: 1250 } });
  const { table, exitCode } = await verify(pair, '--repair');
  expect({ table, exitCode }).toMatchObject({
    ...EQUAL,
    table: { repaired: { inserted: 1250, updated: 1250, removed: 2500 } },
  });
  await expectSameRows(pair, 'orders');
});

slowTest(
  'columns whose types differ on the two sides, or lack equality, are compared by what they print',
  async () => {
    await using pair = await freshPair({
      tables: [{ name: 'items', replication_key: 'at', unique_cols: ['mood', 'n'] }],
      sourceSql: `CREATE TYPE mood AS ENUM ('ok', 'not "ok"'); CREATE TYPE pair AS (a int, b text);
      CREATE DOMAIN small AS numeric CHECK (VALUE < 100);
      CREATE TABLE items (mood mood, n numeric, j json, x xml, p point, c pair, moods mood[], s small, f float8,
        at timestamptz NOT NULL DEFAULT now() - interval '1 hour');
      INSERT INTO items VALUES ('ok', 1, '{"a":1}', '<a/>', '(1,2)', '(1,"x y")', '{ok,NULL}', 1.0, 0.1),
        ('not "ok"', 2.50, 'null', '', '(-0,NaN)', '(,)', '{}', 2.00, '-0'), ('ok', 3, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
        ('ok', NULL, '[]', NULL, NULL, NULL, NULL, NULL, NULL);
      INSERT INTO items (mood, n, at) VALUES ('ok', 4, now())`,
    });
    await sync(pair);
    expect(await verify(pair)).toMatchObject(EQUAL);
    for (const [change, key] of [
      [`j = '{"a": 1}' WHERE n = 1`, ['ok', '1']],
      [`x = '<a></a>' WHERE n = 1`, ['ok', '1']],
      [`p = '(1,2.0000001)' WHERE n = 1`, ['ok', '1']],
      [`s = 1.00 WHERE n = 1`, ['ok', '1']],
      [`f = 0 WHERE n = 2.50`, ['not "ok"', '2.50']],
      [`c = '(,"")' WHERE n = 2.50`, ['not "ok"', '2.50']],
      [`moods = '{ok,"NULL"}' WHERE n = 1`, ['ok', '1']],
      [`j = '[ ]' WHERE n IS NULL`, ['ok', null]],
    ] as const) {
      await pair.destination.query(`UPDATE items SET ${change}`);
      expect(await verify(pair, '--repair'), change).toMatchObject({
        ...EQUAL,
        table: { repaired: { inserted: 0, updated: 1, removed: 0 } },
      });
      await pair.destination.query(`UPDATE items SET ${change}`);
      expect((await verify(pair)).table, change).toMatchObject({
        changed: 1,
        first_keys: { changed: [key] },
      });
      await verify(pair, '--repair');
    }
    await expectSameRows(pair, 'items');
  },
);

test('what the next sync would bring anyway is no difference', async () => {
  await using pair = await freshPair({
    ...oldOrders(30, { null_keys: 'include' }),
    sourceSql: `${String(oldOrders(30).sourceSql)}; ALTER TABLE orders ALTER updated_at DROP NOT NULL;
      INSERT INTO orders VALUES (500, 1, 'no key', NULL), (501, 1, 'no key', NULL)`,
  });
  await sync(pair);
  await insertOrders(pair, 3);
  await pair.source.query(`UPDATE orders SET note = 'changed', updated_at = now() WHERE id = 3;
    UPDATE orders SET note = 'changed without a key' WHERE id = 500; INSERT INTO orders VALUES (700, 1, 'new', NULL);
    INSERT INTO orders VALUES (600, 1, 'from the future', now() + interval '1 year')`);
  expect(await verify(pair)).toMatchObject({ ...EQUAL, table: { ...EQUAL.table, waiting: 7 } });
  await sync(pair);
  expect(await verify(pair)).toMatchObject({ ...EQUAL, table: { ...EQUAL.table, waiting: 0 } });
  await expectSameRows(pair, 'orders');
});

test('the failure of the last sync is printed below rows that are equal as of the sync before', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query(`UPDATE orders SET note = 'changed', updated_at = now() WHERE id = 3`);
  await pair.destination.query('ALTER TABLE orders ADD CHECK (note <> $$changed$$)');
  expect((await increp('sync', pair)).exitCode).not.toBe(0);
  const { exitCode, stdout } = await increp('verify', pair);
  expect(exitCode, stdout).toBe(0);
  expect(stdout).toMatch(
    /^= orders {2}equal as of the last sync: .*\n {4}not counted as differences: 1 row of/,
  );
  expect(stdout).toMatch(/\n {4}last sync: FAILED \d s ago: .*check constraint.*\n {6}next: /);
  expect(stdout).toMatch(/\n1 table: 1 equal, 1 FAILED at the last sync in [\d.]+ s\n$/);
  expect((await verify(pair)).table).toMatchObject({ last_failure: { code: 'CONSTRAINT_VIOLATED' } });
  await pair.source.query('ALTER TABLE orders RENAME TO gone');
  await increp('sync', pair);
  await pair.source.query('ALTER TABLE gone RENAME TO orders');
  expect((await increp('verify', pair)).stdout).toContain(
    'the cause no longer applies, so the next sync continues (TABLE_NOT_FOUND)',
  );
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`REVOKE SELECT ON orders FROM ${user}`);
  await increp('sync', pair);
  await pair.source.query(`GRANT SELECT ON orders TO ${user}`);
  for (const command of ['verify', 'plan', 'status', 'check']) {
    const { stdout: after } = await increp(command, pair);
    expect(after, command).toContain(
      'the cause no longer applies, so the next sync continues (PRIVILEGE_MISSING',
    );
    expect(after, command).not.toContain('GRANT');
  }
  await pair.writeTables([{ ...ORDERS_CONFIG, mode: 'full-refresh' }]);
  expect((await increp('verify', pair)).stdout).toContain(
    'the next sync loads the table again (PRIVILEGE_MISSING)',
  );
  await pair.writeTables([ORDERS_CONFIG]);
  await pair.destination.query('ALTER TABLE orders RENAME TO elsewhere');
  const missing = (await increp('verify', pair)).stdout;
  expect(missing).toMatch(
    /was renamed to public\.elsewhere[^]*Compare after the next sync[^]*increp plan orders\n/,
  );
});

test('rows that a trigger of the destination discards are found, and a repair says why it has no effect', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination
    .query(`CREATE FUNCTION discard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER discard BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION discard()`);
  expect((await increp('check', pair)).stdout).toContain(
    'trigger "discard" of public.orders can change or discard',
  );
  await pair.source.query(`UPDATE orders SET note = 'changed', updated_at = now() WHERE id = 3`);
  expect((await sync(pair)).table().warnings).toEqual([
    expect.stringMatching(
      /^1 row is not in public\.orders as the source has it, because a trigger .*: SELECT tgname/,
    ),
  ]);
  const { exitCode, stdout } = await increp('verify --repair', pair);
  expect(exitCode, stdout).toBe(2);
  expect(stdout).toContain('public.orders did not take each row as it was written (VERIFY_FAILED)');
  expect(stdout).toContain('\n    NOT REPAIRED orders (VERIFY_FAILED)\n');
  expect(stdout).not.toContain('verify orders --repair');
  const [, list = ''] = /run at the destination: (.*)\n/.exec(stdout) ?? [];
  expect((await pair.destination.query(list)).rows).toEqual([{ tgname: 'discard', tgfoid: 'discard()' }]);
});

test('what open transactions may still bring is no difference, once they have brought it', async () => {
  await using pair = await freshPair(oldOrders(30, { lookback: '0s' }));
  await sync(pair);
  const late = await pair.source.connect();
  await late.query('BEGIN; SELECT now()');
  await insertOrders(pair, 2);
  await sync(pair, '--wait-transactions 50ms');
  await late.query(
    `INSERT INTO orders VALUES (700, 1, 'late', now()); UPDATE orders SET note = 'late', updated_at = now() WHERE id = 3; COMMIT`,
  );
  late.release();
  expect(await verify(pair)).toMatchObject(EQUAL);
  await sync(pair);
  expect(await verify(pair)).toMatchObject(EQUAL);
});

slowTest('no false alarm while both sides are written', { timeout: 120_000 }, async () => {
  await using pair = await freshPair(oldOrders(3000));
  await sync(pair);
  let isOver = false;
  const write = async (writer: number) => {
    const client = await pair.source.connect();
    for (let round = 1; !isOver; round += 1) {
      await client.query('BEGIN');
      await client.query(`INSERT INTO orders (id, note) VALUES (${writer * 1_000_000 + round}, 'new');
        UPDATE orders SET note = 'round ${round}', updated_at = now() WHERE id % 400 = ${(round * 7 + writer) % 400}`);
      await client.query(`SELECT pg_sleep(random() * 0.05)`);
      await client.query(round % 10 === 0 ? 'ROLLBACK' : 'COMMIT');
    }
    client.release();
  };
  const keepSyncing = async () => {
    while (!isOver) await sync(pair, '--wait-transactions 100ms --wait-lock 10s');
  };
  const company = [write(1), write(2), write(3), write(4), keepSyncing()];
  try {
    for (let run = 1; run <= 10; run += 1) expect(await verify(pair), `run ${run}`).toMatchObject(EQUAL);
  } finally {
    isOver = true;
    await Promise.allSettled(company);
  }
  await Promise.all(company);
  await sync(pair);
  await expectSameRows(pair, 'orders');
});

slowTest('--repair gives way to a run, and says so', async () => {
  await using pair = await freshPair(oldOrders(30));
  await sync(pair);
  await pair.destination.query('DELETE FROM orders WHERE id = 3');
  await insertOrders(pair, 1);
  const open = await pair.source.connect();
  await open.query('BEGIN; SELECT FROM orders');
  await using running = startIncrep('sync -v --wait-transactions 40s', pair);
  await running.waitForPhase('fence');
  const { exitCode, table } = await verify(pair, '--repair');
  expect({ exitCode, code: table?.error?.code }).toEqual({ exitCode: 2, code: 'RUN_LOCKED' });
  await open.query('COMMIT');
  open.release();
  await running.wait();
  expect(await verify(pair, '--repair')).toMatchObject(EQUAL);
});

slowTest('with "soft", marked rows are no extra ones, and --repair marks and unmarks', async () => {
  await using pair = await freshPair(oldOrders(30, { deletes: 'soft', deletes_every: '0s' }));
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id = 3');
  await sync(pair);
  expect(await verify(pair)).toMatchObject({ ...EQUAL, table: { rows_source: 29, rows_destination: 29 } });
  await pair.source.query('DELETE FROM orders WHERE id = 4');
  await pair.destination.query('UPDATE orders SET _deleted_at = now() WHERE id = 5');
  expect((await verify(pair)).table).toMatchObject({ extra: 1, missing: 1 });
  expect(await verify(pair, '--repair')).toMatchObject({
    ...EQUAL,
    table: { repaired: { inserted: 0, updated: 1, removed: 1 } },
  });
  const { rows } = await pair.destination.query(
    'SELECT id FROM orders WHERE _deleted_at IS NOT NULL ORDER BY id',
  );
  expect(rows).toEqual([{ id: '3' }, { id: '4' }]);
});

/** Everything of the destination that a command could leave a trace in. */
async function tracesOf(pair: Pair) {
  const { rows } = await pair.destination.query(`
    SELECT (SELECT json_agg(row(relname, oid, relfilenode) ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace) AS relations,
      (SELECT json_agg(row(relname, n_tup_ins, n_tup_upd, n_tup_del) ORDER BY relid) FROM pg_stat_user_tables) AS writes,
      (SELECT json_agg(nspname ORDER BY 1) FROM pg_namespace WHERE nspname !~ '^pg_') AS schemas`);
  return { ...rows[0], files: await readdir(pair.directory, { recursive: true }) };
}

slowTest('plan, check, status and verify write nothing, before the first sync and after it', async () => {
  await using pair = await freshPair('orders');
  const commands = ['plan', 'check', 'status', 'verify', 'sync --dry-run', 'plan --full-refresh --deletes'];
  for (const isSynced of [false, true]) {
    if (isSynced) await sync(pair);
    await insertOrders(pair, 1);
    const before = await tracesOf(pair);
    for (const command of commands) {
      const { exitCode, stderr } = await increp(command, pair);
      expect(exitCode, `${command}: ${stderr}`).toBe(command === 'verify' && !isSynced ? 1 : 0);
      expect(await tracesOf(pair), command).toEqual(before);
    }
  }
});

slowTest('they need no right to write, and check says that sync does', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { database } = pair.login('destination', 'increp');
  await pair.destination.query(`CREATE ROLE looker_${database} LOGIN PASSWORD 'style';
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker_${database}`);
  try {
    await pair.setEnv({ DEST_USERNAME: `looker_${database}`, DEST_PASSWORD: 'style' });
    expect(await verify(pair)).toMatchObject(EQUAL);
    for (const command of ['plan', 'status']) {
      const result = await increp(command, pair);
      expect(result.exitCode, `${command}: ${result.stdout} ${result.stderr}`).toBe(0);
    }
    const checked = await increp('check --json', pair);
    expect(checked.exitCode).toBe(77);
    expect(checked.json<{ findings: object[] }>().findings).toContainEqual(
      expect.objectContaining({ level: 'error', code: 'PRIVILEGE_MISSING', table: 'orders' }),
    );
  } finally {
    await pair.destination.query(`DROP OWNED BY looker_${database}; DROP ROLE looker_${database}`);
  }
});

test('--repair removes no more rows than delete_limit allows, unless it is forced', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id > 4');
  const refused = await verify(pair, '--repair');
  expect(refused).toMatchObject({
    exitCode: 2,
    table: {
      ...{ status: 'different', extra: 6, repaired: null },
      error: {
        code: 'DELETE_LIMIT_EXCEEDED',
        message: expect.stringContaining(
          'would remove 6 of 10 rows that the source no longer has',
        ) as unknown,
        hint: expect.stringContaining('increp verify orders --repair --force') as unknown,
      },
    },
  });
  expect((await pair.destination.query('SELECT FROM orders')).rowCount).toBe(10);
  expect(await verify(pair, '--repair --force')).toMatchObject({
    exitCode: 0,
    table: { repaired: { removed: 6 } },
  });
  await expectSameRows(pair, 'orders');
});

const twoTables: PairOptions = {
  tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'events' }, { ...ORDERS_CONFIG, name: 'items' }],
  sourceSql: ['orders', 'events', 'items']
    .map(
      (name) =>
        `${ORDERS_SQL.replaceAll('orders', name)}; INSERT INTO ${name} (id, note) VALUES (1, 'a'), (2, 'b')`,
    )
    .join(';'),
};

slowTest(
  'differences decide the exit code, and the tables are named again at the end with the next command',
  async () => {
    await using pair = await freshPair(twoTables);
    await sync(pair, 'orders events');
    const some = await increp('verify', pair);
    expect(some.exitCode, some.stderr).toBe(3);
    expect(some.stdout).toMatch(
      /\n3 tables: 2 equal, 1 not compared in [\d.]+ s\n {4}FAILED items \(NOT_SYNCED\)\n$/,
    );
    await pair.destination.query('DELETE FROM orders WHERE id = 2; DELETE FROM events WHERE id = 1');
    const mixed = await increp('verify', pair);
    expect(mixed.exitCode).toBe(2);
    expect(mixed.stdout).toMatch(
      /\n3 tables: 2 different, 1 not compared in [\d.]+ s\n {4}FAILED items \(NOT_SYNCED\)\n {4}DIFFERENT orders, events: increp verify orders events --repair\n$/,
    );
    const repaired = await increp('verify orders events --repair', pair);
    expect(repaired.exitCode).toBe(0);
    expect(repaired.stdout).toMatch(/\n2 tables: 2 equal, 2 of them repaired in [\d.]+ s\n$/);
  },
);

test('the session that holds a table is named', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const holder = await pair.source.connect();
  await holder.query(`SET application_name = 'nightly'; BEGIN; LOCK TABLE orders`);
  const { stdout, stderr } = await increp('verify', pair, { timing: { lockTimeout: 0.2 } });
  await holder.query('ROLLBACK');
  expect(stdout, stderr).toMatch(
    /held by pid \d+ \(nightly\) of \w+ .*with AccessExclusiveLock on orders at the source/,
  );
});

slowTest('thousands of differences cost few round trips, in a report and in a removal', async () => {
  await using pair = await freshPair(oldOrders(12_000, { deletes: 'hard', delete_limit: 1 }));
  await sync(pair);
  await pair.destination.query(`UPDATE orders SET note = 'other'`);
  const comparing = await countWaits(pair, async () => {
    expect(await verify(pair)).toMatchObject({ exitCode: 2, table: { changed: 12_000 } });
  });
  // With 500 rows of one side in each round trip, there would be 48 more.
  expect(comparing).toBeLessThanOrEqual(35);
  await pair.source.query('DELETE FROM orders WHERE id % 2 = 0');
  const removing = await countWaits(pair, async () => {
    expect((await sync(pair, '--deletes')).table().rows_deleted).toBe(6000);
  });
  // One for each thousand of keys, in place of five.
  expect(removing).toBeLessThanOrEqual(45);
});

/** Tables of one row. */
const rowsIn = (names: readonly string[], pad = ''): PairOptions => ({
  tables: names.map((name) => ({ name, replication_key: 'updated_at', unique_cols: ['id'] })),
  sourceSql: names
    .map(
      (name) =>
        `CREATE TABLE ${name} (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now(), pad text DEFAULT '${pad}') WITH (autovacuum_enabled = false); INSERT INTO ${name} VALUES (1)`,
    )
    .join('; '),
});

slowTest('more small tables without differences cost no more round trips', async () => {
  await using pair = await freshPair(rowsIn(['a', 'b', 'c', 'd']));
  await sync(pair);
  const waits = async (args: string) =>
    countWaits(pair, async () => expect((await increp(`verify ${args}`, pair)).exitCode).toBe(0));
  const one = await waits('a');
  expect(await waits('')).toBeLessThanOrEqual(one);
});

test('tables that are compared together have the results of tables that are compared alone', async () => {
  const names = ['same', 'missing', 'extra', 'changed', 'pending', 'held', 'gone', 'empty'];
  await using pair = await freshPair(rowsIn(names));
  await pair.source.query('DELETE FROM empty; INSERT INTO missing VALUES (2)');
  await sync(pair);
  await pair.destination.query(`DELETE FROM missing WHERE id = 2; INSERT INTO extra VALUES (2, '2020-01-01');
    UPDATE changed SET pad = 'x'; DROP TABLE gone`);
  await pair.source.query('INSERT INTO pending VALUES (2)');
  const holder = await pair.source.connect();
  await holder.query('BEGIN; LOCK TABLE held');
  const compare = async (args: string) => {
    const result = await increp(`verify --json ${args}`, pair, {
      timing: { lockTimeout: 0.2, sweepLock: 0.1 },
    });
    return result.json<{ tables: TableVerdict[] }>().tables.map((table) => ({ ...table, duration_s: 0 }));
  };
  const together = await compare('');
  const alone = [];
  for (const name of names) alone.push(...(await compare(name)));
  await holder.query('ROLLBACK');
  const withoutPid = (verdicts: readonly TableVerdict[]): unknown =>
    JSON.parse(JSON.stringify(verdicts).replaceAll(/pid \d+|\d+ s\b/g, 'pid'));
  expect(withoutPid(together)).toEqual(withoutPid(alone));
  expect(together.map(({ status }) => status)).toEqual([
    ...['equal', 'different', 'different', 'different', 'equal', 'failed', 'failed', 'equal'],
  ]);
});

slowTest('tables whose size the catalogs do not know are read in full', async () => {
  await using pair = await freshPair(rowsIn(['a', 'b'], 'x'.repeat(1500)));
  await pair.source.query('INSERT INTO a SELECT generate_series(2, 1000)');
  await sync(pair);
  const { tables } = await verify(pair);
  expect(tables).toMatchObject([
    { status: 'equal', rows_source: 1000, rows_destination: 1000 },
    { status: 'equal', rows_source: 1, rows_destination: 1 },
  ]);
  await pair.destination.query(`UPDATE a SET pad = '' WHERE id = 700`);
  expect(await verify(pair)).toMatchObject({ exitCode: 2, table: { changed: 1 } });
});
