/** Changes in place where keys, kinds of tables, deletes or other transactions make them harder. */
import { expect, test } from 'vitest';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const config = (more: object = {}) => ({
  name: 't',
  replication_key: 'changed',
  unique_cols: ['id'],
  initial_load: 'copy',
  on_schema_change: 'evolve',
  ...more,
});

/** Rows long before now, so that the window of the next sync holds the newest of them only. */
const SQL = `
  CREATE TABLE t (id int PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now(), n int, word text);
  INSERT INTO t SELECT i, timestamptz '2026-01-01' + i * interval '1 min', i, 'w' || i FROM generate_series(1, 20) i`;

const query = async (pair: Pair, sql: string) =>
  (await pair.destination.query<Record<string, unknown>>(sql)).rows;

const isRequired = async (pair: Pair, name: string) =>
  (
    await query(
      pair,
      `SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = '${name}'`,
    )
  )[0]?.['attnotnull'];

const inPlace = (filled: number) => ({
  action: 'incremental',
  reason: expect.stringContaining(`the destination table was altered in place, ${filled} row`) as unknown,
});

const MORE = `ALTER TABLE t ADD COLUMN more text NOT NULL DEFAULT 'm'`;

slowTest(
  'soft deletes: marked rows stay as they are, and what they have no value for may be NULL',
  async () => {
    await using pair = await freshPair({
      tables: [config({ deletes: 'soft', deletes_every: '0s' })],
      sourceSql: SQL,
    });
    await sync(pair);
    await pair.source.query('DELETE FROM t WHERE id IN (3, 4)');
    await sync(pair);
    const marks = () =>
      query(pair, 'SELECT id, n, _deleted_at FROM t WHERE _deleted_at IS NOT NULL ORDER BY id');
    const before = await marks();
    await pair.source.query(
      `${MORE}; ALTER TABLE t ALTER n TYPE bigint; INSERT INTO t (id, n) VALUES (4, 40)`,
    );
    expect((await sync(pair)).table()).toMatchObject(inPlace(19));
    expect(await marks()).toEqual([{ ...before[0], n: '3' }]);
    expect(await isRequired(pair, 'more')).toBe(false);
    await expectSameRows(pair, 't', { where: 'id <> 3' });
    expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_read: 0 });
  },
);

slowTest(
  'rows that are gone from the source have no value, so that NOT NULL is left out, with a warning',
  async () => {
    await using pair = await freshPair({ tables: [config()], sourceSql: SQL });
    await sync(pair);
    await pair.source.query(`DELETE FROM t WHERE id = 3; ${MORE}; ALTER TABLE t ALTER word SET NOT NULL`);
    const { table } = await sync(pair);
    expect(table()).toMatchObject(inPlace(19));
    expect(table().warnings).toEqual([expect.stringContaining('column "more" of public.t stays nullable')]);
    expect([await isRequired(pair, 'more'), await isRequired(pair, 'word')]).toEqual([false, true]);
    expect((await sync(pair)).table().reason).toBe('the cursor is known');
  },
);

test('deletes are found in the same sync', async () => {
  await using pair = await freshPair({
    tables: [config({ deletes: 'hard', deletes_every: '0s' })],
    sourceSql: SQL,
  });
  await sync(pair);
  await pair.source.query(
    `DELETE FROM t WHERE id = 3; ALTER TABLE t ALTER id TYPE bigint, ALTER n TYPE bigint USING -n`,
  );
  expect((await sync(pair)).table()).toMatchObject({ ...inPlace(19), rows_deleted: 1 });
  await expectSameRows(pair, 't');
});

slowTest('composite keys, whose parts may be NULL, and rows without a replication key', async () => {
  await using pair = await freshPair({
    tables: [config({ unique_cols: ['a', 'b'], null_keys: 'include' })],
    sourceSql: `CREATE TABLE t (a int NOT NULL, b varchar(5), changed timestamptz, n int, UNIQUE (a, b));
      INSERT INTO t SELECT i, CASE WHEN i % 3 > 0 THEN 'b' || i END,
        CASE WHEN i % 4 > 0 THEN timestamptz '2026-01-01' + i * interval '1 min' END, i FROM generate_series(1, 30) i`,
  });
  await sync(pair);
  await pair.source.query(
    `${MORE}; UPDATE t SET more = a || coalesce(b, '-') WHERE a > 3; ALTER TABLE t ALTER b TYPE text, ALTER a TYPE bigint, ALTER n TYPE bigint USING n + 1`,
  );
  expect((await sync(pair)).table()).toMatchObject(inPlace(30));
  await expectSameRows(pair, 't');
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_updated: 0 });
});

slowTest(
  'where rows share their key at the source, nothing tells which of them the copy has: a new load does',
  async () => {
    await using pair = await freshPair({
      tables: [config()],
      sourceSql: `CREATE TABLE t (id int NOT NULL, changed timestamptz NOT NULL, n int);
      INSERT INTO t SELECT i / 2, timestamptz '2026-01-01' + i * interval '1 min', i FROM generate_series(1, 20) i`,
    });
    await sync(pair);
    await pair.source.query(`${MORE}; UPDATE t SET more = NULLIF(n % 2, 1)::text`.replace(' NOT NULL', ''));
    const { action, reason } = (await sync(pair)).table();
    expect(action).toBe('reset');
    expect(reason).toContain('not in place: several rows of the source have the same id');
    expect(await query(pair, 'SELECT count(*)::int AS n FROM t')).toEqual([{ n: 11 }]);
  },
);

test('partitioned tables, views and generated columns', async () => {
  await using pair = await freshPair({
    tables: [config({ name: 'p' }), config({ name: 'v' })],
    sourceSql: `CREATE TABLE p (id int, changed timestamptz NOT NULL, n int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
      CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p2 PARTITION OF p DEFAULT;
      INSERT INTO p SELECT i, timestamptz '2026-01-01' + i * interval '1 min', i FROM generate_series(1, 20) i;
      CREATE VIEW v AS SELECT id, changed FROM p`,
  });
  await sync(pair);
  await pair.source
    .query(`ALTER TABLE p ADD COLUMN more int DEFAULT 7, ADD COLUMN twice int GENERATED ALWAYS AS (n * 2) STORED;
    CREATE OR REPLACE VIEW v AS SELECT id, changed, n * 3 AS thrice FROM p`);
  const result = await sync(pair);
  for (const name of ['p', 'v']) {
    expect(result.table(name), name).toMatchObject(inPlace(20));
    await expectSameRows(pair, name);
  }
});

slowTest(
  'types: "native": a new type is made for a new column, an enum keeps up, a domain is left',
  async () => {
    await using pair = await freshPair({
      tables: [config({ types: 'native' })],
      sourceSql: `CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN cents AS int;
      ${SQL}; ALTER TABLE t ADD m mood DEFAULT 'ok', ADD c cents DEFAULT 1;`,
    });
    await sync(pair);
    await pair.source.query(`CREATE TYPE tone AS ENUM ('low', 'high'); ALTER TYPE mood ADD VALUE 'glad';
    ALTER TABLE t ADD tone tone NOT NULL DEFAULT 'low', ADD tones tone[] DEFAULT '{low,high}'`);
    await pair.source.query(`UPDATE t SET m = 'glad', changed = now() WHERE id = 5`);
    const plan = (await increp('plan', pair)).stdout;
    expect(plan).toContain('creates the enum public.tone');
    expect((await sync(pair)).table()).toMatchObject(inPlace(20));
    await expectSameRows(pair, 't');
    expect(await query(pair, `SELECT pg_typeof(tones)::text AS type FROM t LIMIT 1`)).toEqual([
      { type: 'tone[]' },
    ]);
    await pair.source.query('ALTER TABLE t ALTER c TYPE int');
    expect((await sync(pair)).table()).toMatchObject({ action: 'reset' });
    await expectSameRows(pair, 't');
  },
);

slowTest(
  'what is missing or stricter at the destination only comes back; another type there is loaded again',
  async () => {
    await using pair = await freshPair({ tables: [config()], sourceSql: SQL });
    await sync(pair);
    await pair.destination.query('ALTER TABLE t DROP COLUMN word, ALTER n SET NOT NULL');
    await pair.source.query('INSERT INTO t (id) VALUES (50)');
    const { table } = await sync(pair);
    expect(table()).toMatchObject({ ...inPlace(20), rows_inserted: 1 });
    expect(table().reason).toContain('column "word" is missing at the destination');
    await expectSameRows(pair, 't');
    await pair.destination.query('ALTER TABLE t ALTER n TYPE smallint');
    expect((await sync(pair)).table()).toMatchObject(inPlace(0));
    await pair.destination.query('ALTER TABLE t ALTER n TYPE text');
    expect((await sync(pair)).table()).toMatchObject({ action: 'reset' });
    await expectSameRows(pair, 't');
  },
);

slowTest(
  'a transaction that began before the sync and wrote after the change comes late, and in the new shape',
  async () => {
    await using pair = await freshPair({ tables: [config()], sourceSql: SQL });
    await sync(pair);
    await pair.source.query(MORE);
    const late = await pair.source.connect();
    try {
      await late.query(`BEGIN; UPDATE t SET more = 'late', changed = now() WHERE id = 2`);
      await pair.source.query(`UPDATE t SET more = 'soon', changed = now() WHERE id = 1`);
      expect((await sync(pair)).table()).toMatchObject(inPlace(20));
      // Two changes of shape between two syncs, one of which takes the other back.
      await late.query('COMMIT');
      await pair.source.query('ALTER TABLE t ADD COLUMN a int DEFAULT 1, ALTER n TYPE bigint');
      await pair.source.query('ALTER TABLE t DROP COLUMN a, ALTER n TYPE numeric(30,1)');
      expect((await sync(pair)).table()).toMatchObject({ ...inPlace(0), rows_updated: 1 });
    } finally {
      late.release();
    }
    await expectSameRows(pair, 't');
  },
);

slowTest('a change between the plan and the copy is planned anew', async () => {
  await using pair = await freshPair({ tables: [config()], sourceSql: SQL });
  await sync(pair);
  await pair.source.query(MORE);
  await using proxy = await faultProxy(pair.login('source'));
  await pair.setEnv({ SOURCE_PORT: String(proxy.port) });
  proxy.when({ from: 'client', seen: 'REPEATABLE READ', fault: 'stall' });
  await using running = startIncrep('sync --json', pair);
  await proxy.waitUntilFired();
  await pair.source.query('ALTER TABLE t ADD COLUMN other int DEFAULT 5');
  await proxy.resume();
  const result = await running.wait();
  expect(result.exitCode, result.stderr).toBe(0);
  expect(result.stderr).toContain('changed while increp was reading it');
  await expectSameRows(pair, 't');
});

test('plan shows the statements and what would be filled, check and status tell of it, verify waits for it', async () => {
  await using pair = await freshPair({ tables: [config()], sourceSql: SQL });
  await sync(pair);
  await pair.source.query(`${MORE}; ALTER TABLE t ALTER n TYPE bigint, DROP COLUMN word; ANALYZE t`);
  const statements = [
    'ALTER TABLE "public"."t" DROP COLUMN "word", ALTER COLUMN "n" TYPE bigint, ADD COLUMN "more" text',
    'ALTER TABLE "public"."t" ALTER COLUMN "more" SET NOT NULL',
  ];
  const text = (await increp('plan', pair)).stdout.replaceAll(/\n +/g, ' ');
  for (const part of [
    'shape: column "word" was dropped at the source; column "n" changed type from integer to bigint at the source; column "more" (text) was added at the source: the destination table is altered in place',
    ...statements.map((statement) => `alter: ${statement}`),
    'fill: "more" of about 20 rows',
    'compare: "n" of about 20 rows, copied where it differs',
  ])
    expect(text).toContain(part);
  const json = (await increp('plan --json', pair)).json<{ tables: unknown[] }>();
  expect(json.tables[0]).toMatchObject({
    action: 'incremental',
    alterations: statements,
    fills: { columns: ['more'], compared_columns: ['n'], estimated_rows: 20 },
  });
  expect((await increp('plan --exit-code', pair)).exitCode).toBe(2);
  expect((await increp('check', pair)).stdout).toContain('the destination table is altered in place');
  expect((await increp('status', pair)).stdout.replaceAll(/\n +/g, ' ')).toContain(
    'the destination table is altered in place',
  );
  expect((await increp('verify --json', pair)).stdout).toContain('"NOT_SYNCED"');
  await sync(pair, '--verify');
  expect((await increp('verify', pair)).exitCode).toBe(0);
});

slowTest('who does not own the copy cannot alter it, and check says so', async () => {
  await using pair = await freshPair({ tables: [config()], sourceSql: SQL });
  const { user } = pair.login('destination', 'increp');
  await sync(pair);
  await pair.destination.query(`ALTER TABLE t OWNER TO CURRENT_USER; GRANT ALL ON t TO ${user}`);
  await pair.source.query(MORE);
  const check = await increp('check --json', pair);
  expect(check.stdout).toContain('"PRIVILEGE_MISSING"');
  expect(check.stdout).toContain('is not the owner of public.t');
  const refused = await trySync(pair);
  expect(refused.table()).toMatchObject({ status: 'failed', error: { code: 'DEPENDENT_OBJECTS' } });
  await pair.destination.query(`ALTER TABLE t OWNER TO ${user}`);
  expect((await sync(pair)).table()).toMatchObject(inPlace(20));
  await expectSameRows(pair, 't');
});

test("a table of that name that is somebody else's is not touched", async () => {
  await using pair = await freshPair({ tables: [config()], sourceSql: SQL });
  await sync(pair);
  await pair.destination.query('CREATE TABLE t_increp_fill AS SELECT 1 AS theirs');
  await pair.source.query(MORE);
  expect((await trySync(pair)).table()).toMatchObject({ error: { code: 'STAGING_NAME_CONFLICT' } });
  expect(await query(pair, 'SELECT * FROM t_increp_fill')).toEqual([{ theirs: 1 }]);
});

test('checks that people have deferred to the commit are no obstacle to NOT NULL', async () => {
  await using pair = await freshPair({ tables: [config()], sourceSql: SQL });
  await sync(pair);
  await pair.destination
    .query(`CREATE TABLE words (word text PRIMARY KEY); INSERT INTO words SELECT word FROM t;
    ALTER TABLE t ADD CONSTRAINT known FOREIGN KEY (word) REFERENCES words DEFERRABLE INITIALLY DEFERRED;
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()`);
  await pair.source.query(`${MORE}; INSERT INTO t (id, word) VALUES (50, 'w1')`);
  expect((await sync(pair)).table()).toMatchObject({ ...inPlace(20), rows_inserted: 1 });
  expect(await isRequired(pair, 'more')).toBe(true);
  await expectSameRows(pair, 't');
});

test('a copy that was emptied is loaded again', async () => {
  await using pair = await freshPair({ tables: [config()], sourceSql: SQL });
  await sync(pair);
  await pair.destination.query('TRUNCATE t');
  await pair.source.query(MORE);
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_inserted: 20 });
  await expectSameRows(pair, 't');
});
