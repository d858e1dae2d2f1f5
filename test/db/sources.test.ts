/** What a source may be besides a plain table: loaded by either loader, followed, its deletes carried over, verified. */
import process from 'node:process';
import { LOCK_NEEDS } from '../../src/sql/lock-needs.ts';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { parseMajor } from '../support/postgres-binaries.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const LOADERS = ['pg_dump', 'copy'] as const;
const STAMP = 'updated_at timestamptz NOT NULL DEFAULT now()';

const tableOf = (name: string, more: object = {}) => ({
  name,
  replication_key: 'updated_at',
  unique_cols: ['id'],
  deletes: 'hard',
  lookback: '0s',
  ...more,
});

const pairOf = (sourceSql: string, more: object = {}, name = 't') =>
  freshPair({ tables: [tableOf(name, more)], sourceSql });

interface Source {
  readonly what: string;
  readonly sql: string;
  /** Inserts two rows, changes two, deletes one. */
  readonly change: string;
  /** What pg_dump gives way to, if it does. */
  readonly why?: string;
}

const CHANGE = /* sql */ `
  INSERT INTO t (id, note) VALUES (1001, 'new'), (1002, 'new');
  UPDATE t SET note = 'changed', updated_at = now() WHERE id IN (2, 12);
  DELETE FROM t WHERE id = 5`;

/** On the server itself, as another client of it. */
const FOREIGN = (table: string) => /* sql */ `
  CREATE EXTENSION postgres_fdw;
  DO $$ BEGIN EXECUTE format('CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host ''127.0.0.1'', port %L, dbname %L)', current_setting('port'), current_database()); END $$;
  CREATE SCHEMA away; CREATE TABLE away.${table} (note text, id int PRIMARY KEY, ${STAMP});
  CREATE ROLE away_PAIR LOGIN SUPERUSER PASSWORD 'away';
  CREATE USER MAPPING FOR PUBLIC SERVER here OPTIONS (user 'away_PAIR', password 'away'); COMMIT`;

const SOURCES: readonly Source[] = [
  {
    what: 'partitions of several levels, with columns in another order and dropped ones',
    sql: /* sql */ `
      CREATE TABLE t (gone int, id int NOT NULL, note text, ${STAMP}, PRIMARY KEY (id)) PARTITION BY RANGE (id);
      ALTER TABLE t DROP COLUMN gone;
      CREATE TABLE t_low (note text, updated_at timestamptz NOT NULL DEFAULT now(), lost text, id int NOT NULL);
      ALTER TABLE t_low DROP COLUMN lost;
      ALTER TABLE t ATTACH PARTITION t_low FOR VALUES FROM (0) TO (10);
      CREATE TABLE t_mid PARTITION OF t FOR VALUES FROM (10) TO (1000) PARTITION BY HASH (id);
      CREATE TABLE t_mid0 PARTITION OF t_mid FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY LIST (id);
      CREATE TABLE t_mid0_rest PARTITION OF t_mid0 DEFAULT;
      CREATE TABLE t_mid1 PARTITION OF t_mid FOR VALUES WITH (MODULUS 2, REMAINDER 1);
      CREATE TABLE t_rest PARTITION OF t DEFAULT;
      INSERT INTO t (id, note) SELECT i, 'row ' || i FROM generate_series(1, 40) i`,
    change: CHANGE,
    why: 'partitioned table',
  },
  {
    what: 'a partitioned table with a foreign partition',
    sql: /* sql */ `${FOREIGN('low')};
      CREATE TABLE t (id int NOT NULL, note text, ${STAMP}) PARTITION BY RANGE (id);
      CREATE FOREIGN TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (10) SERVER here
        OPTIONS (schema_name 'away', table_name 'low');
      CREATE TABLE t_rest PARTITION OF t DEFAULT;
      INSERT INTO t (id, note) SELECT i, 'row ' || i FROM generate_series(1, 40) i`,
    change: CHANGE,
    why: 'partitioned table',
  },
  {
    what: 'an inheritance parent with rows in itself and in children that have more columns',
    sql: /* sql */ `
      CREATE TABLE t (id int PRIMARY KEY, note text, ${STAMP});
      CREATE TABLE child (extra text, more jsonb) INHERITS (t); CREATE TABLE grandchild (last int) INHERITS (child);
      INSERT INTO t (id, note) SELECT i, 'own ' || i FROM generate_series(1, 10) i;
      INSERT INTO child (id, note, extra) SELECT i, 'of a child ' || i, 'x' FROM generate_series(11, 20) i;
      INSERT INTO grandchild (id, note, last) SELECT i, 'of a grandchild ' || i, 1 FROM generate_series(21, 30) i`,
    change: CHANGE,
    why: 'child tables',
  },
  {
    what: 'a child of an inheritance parent, by itself',
    sql: /* sql */ `
      CREATE TABLE parent (id int, note text); CREATE TABLE t (${STAMP}, PRIMARY KEY (id)) INHERITS (parent);
      INSERT INTO parent VALUES (1, 'not of the child');
      INSERT INTO t (id, note) SELECT i, 'row ' || i FROM generate_series(1, 20) i`,
    change: CHANGE,
  },
  {
    what: 'a view over two tables that its owner may read and we may not',
    sql: /* sql */ `
      CREATE TABLE base (id int PRIMARY KEY, note text, ${STAMP}); CREATE TABLE words (note text, word text);
      CREATE VIEW t AS SELECT b.id, b.note, b.updated_at, w.word FROM base b LEFT JOIN words w USING (note);
      REVOKE SELECT ON base, words FROM PUBLIC; DO $$ BEGIN EXECUTE (SELECT format('REVOKE ALL ON base, words FROM %s',
        string_agg(rolname, ',')) FROM pg_roles WHERE rolname LIKE 'reader%'); END $$;
      INSERT INTO words VALUES ('changed', 'changed too');
      INSERT INTO base (id, note) SELECT i, 'row ' || i FROM generate_series(1, 20) i`,
    change: CHANGE.replaceAll(/\bt \(|\bt /g, (name) => name.replace('t', 'base')),
    why: 'view',
  },
  {
    what: 'a materialized view',
    sql: /* sql */ `
      CREATE TABLE base (id int PRIMARY KEY, note text, ${STAMP});
      INSERT INTO base (id, note) SELECT i, 'row ' || i FROM generate_series(1, 20) i;
      CREATE MATERIALIZED VIEW t AS SELECT * FROM base; CREATE UNIQUE INDEX ON t (id)`,
    change: `${CHANGE.replaceAll(/\bt \(|\bt /g, (name) => name.replace('t', 'base'))}; REFRESH MATERIALIZED VIEW t`,
    why: 'materialized view',
  },
  {
    what: 'a foreign table',
    sql: /* sql */ `${FOREIGN('t')};
      CREATE FOREIGN TABLE t (id int NOT NULL, note text, ${STAMP}) SERVER here OPTIONS (schema_name 'away');
      INSERT INTO t (id, note) SELECT i, 'row ' || i FROM generate_series(1, 20) i`,
    change: CHANGE,
    why: 'foreign table',
  },
  {
    what: 'generated and identity columns',
    sql: /* sql */ `
      CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, no bigint GENERATED ALWAYS AS IDENTITY,
        note text, loud text GENERATED ALWAYS AS (upper(note)) STORED, ${STAMP});
      INSERT INTO t (note) SELECT 'row ' || i FROM generate_series(1, 20) i`,
    change: CHANGE,
    why: 'generated column',
  },
  {
    what: 'a table without a primary key, of unique rows',
    sql: /* sql */ `
      CREATE TABLE t (id int, note text, ${STAMP});
      INSERT INTO t (id, note) SELECT i, 'row ' || i FROM generate_series(1, 20) i`,
    change: CHANGE,
  },
  {
    what: 'an unlogged table of a composite type',
    sql: /* sql */ `
      CREATE TYPE shape AS (id int, note text, updated_at timestamptz);
      CREATE UNLOGGED TABLE t OF shape (PRIMARY KEY (id), updated_at WITH OPTIONS NOT NULL DEFAULT now());
      INSERT INTO t (id, note) SELECT i, 'row ' || i FROM generate_series(1, 20) i`,
    change: CHANGE,
  },
];

/** A role of the server belongs to all tests, so each pair has one of its own. */
async function makeAway(sql: string): Promise<{ sql: string; role: string }> {
  const role = `away_${Math.random().toString(36).slice(2, 10)}`;
  return { sql: sql.replaceAll('away_PAIR', role), role };
}

async function dropAway(pair: Pair, role: string): Promise<void> {
  await pair.source.query(`DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') THEN
    DROP ROLE ${role}; END IF; END $$`);
}

for (const source of oneIn(5, SOURCES)) {
  // Where pg_dump gives way the two loaders are one.
  for (const loader of source.why === undefined ? oneIn(2, LOADERS) : (['pg_dump'] as const)) {
    testWithPgDump(`${source.what}, loaded by ${loader}`, async () => {
      const { sql, role } = await makeAway(source.sql);
      await using pair = await pairOf(sql, { initial_load: loader });
      const loaded = (await sync(pair)).table();
      const isByCopy = loader === 'copy' || source.why !== undefined;
      expect(loaded.loader).toBe(isByCopy ? 'copy' : 'pg_dump');
      expect(loaded.reason).toContain(loader === 'pg_dump' ? (source.why ?? '') : '');
      expect(loaded.rows_inserted).toBeGreaterThanOrEqual(20);
      await expectSameRows(pair, 't');
      await pair.source.query(source.change);
      // What is newer than the copy is no difference yet, and no alarm.
      const early = await increp('verify --json', pair);
      expect(early.json()).toMatchObject({ tables: [{ missing: 0, changed: 0 }] });
      expect((await sync(pair, '--deletes')).table()).toMatchObject({
        action: 'incremental',
        rows_inserted: 2,
        rows_updated: 2,
        rows_deleted: 1,
      });
      await expectSameRows(pair, 't');
      const verified = await increp('verify', pair);
      expect(verified.exitCode, verified.stdout + verified.stderr).toBe(0);
      expect((await increp('check', pair)).exitCode).toBe(0);
      await dropAway(pair, role);
    });
  }
}

test('check says of which sources rows may come into sight late', async () => {
  const { sql, role } = await makeAway(
    SOURCES.find(({ what }) => what.includes('foreign partition'))?.sql ?? '',
  );
  await using pair = await freshPair({
    tables: ['t', 'm', 't_rest', 't_low'].map((name) => tableOf(name)),
    sourceSql: `${sql}; CREATE MATERIALIZED VIEW m AS SELECT * FROM t`,
  });
  const { findings } = (await increp('check --json', pair)).json<{
    findings: { code: string; table: string }[];
  }>();
  const late = findings.filter(({ code }) => code === 'LATE_VISIBILITY').map(({ table }) => table);
  expect(late).toEqual(['t', 'm', 't_low']);
  await dropAway(pair, role);
});

test('the locks that a table with partitions needs are counted without taking them', async () => {
  await using pair = await freshPair({
    tables: [tableOf('orders')],
    sourceSql: `CREATE TABLE orders (id int PRIMARY KEY, updated_at timestamptz DEFAULT now()) PARTITION BY RANGE (id);
      CREATE INDEX ON orders (updated_at);
      CREATE TABLE low PARTITION OF orders FOR VALUES FROM (0) TO (10);
      CREATE TABLE high PARTITION OF orders FOR VALUES FROM (10) TO (90) PARTITION BY RANGE (id);
      CREATE TABLE highest PARTITION OF high FOR VALUES FROM (50) TO (90); CREATE INDEX ON highest (id, updated_at)`,
  });
  const { rows } = await pair.source.query<{ oid: string }>(`SELECT 'orders'::regclass::oid::text AS oid`);
  const needs = await pair.source.query(LOCK_NEEDS, [rows.map(({ oid }) => oid)]);
  expect(needs.rows).toMatchObject([{ tables: 4, indexes: 9, perTransaction: 64 }]);
});

const DIVIDED = /* sql */ `
  CREATE TABLE t (id int PRIMARY KEY, note text, ${STAMP}) PARTITION BY RANGE (id);
  CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200);
  CREATE TABLE t3 (note text, id int PRIMARY KEY, updated_at timestamptz NOT NULL);
  INSERT INTO t3 SELECT 'old', i, '2020-01-01' FROM generate_series(200, 204) i;
  INSERT INTO t (id) SELECT i FROM generate_series(1, 30) i; INSERT INTO t (id) SELECT i FROM generate_series(101, 104) i`;

test('the rows of an attached partition arrive, and a sync with deletes removes those of a detached one at once', async () => {
  await using pair = await pairOf(DIVIDED, { deletes_every: '7d' });
  await sync(pair);
  await pair.source.query(
    'ALTER TABLE t ATTACH PARTITION t3 FOR VALUES FROM (200) TO (300); ALTER TABLE t DETACH PARTITION t2',
  );
  const { table } = await sync(pair);
  expect(table()).toMatchObject({
    ...{ action: 'incremental', rows_deleted: 4, rows_inserted: 5, warnings: [] },
    reason: expect.stringMatching(
      /a partition was attached with older rows \(t3\), .*; 1 partition of public\.t was detached .* \(t2\), so/,
    ),
  });
  await expectSameRows(pair, 't');
  // A new partition for new rows costs no comparison.
  await pair.source.query(
    `CREATE TABLE t4 PARTITION OF t FOR VALUES FROM (300) TO (400); INSERT INTO t (id) VALUES (301)`,
  );
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, reason: 'the cursor is known' });
  await expectSameRows(pair, 't');
});

test('without deletes, a sync says once that the rows of detached partitions stay, and status until they are gone', async () => {
  await using pair = await pairOf(
    `${DIVIDED}; CREATE TABLE t4 PARTITION OF t DEFAULT; COMMIT; INSERT INTO t (id) VALUES (300)`,
    { deletes: 'ignore' },
  );
  await sync(pair);
  await pair.source.query('ALTER TABLE t DETACH PARTITION t1; DROP TABLE t2');
  const warning =
    '2 partitions of public.t were detached or dropped at the source (t1, and 1 that does not exist any more); rows of them stay in the destination table. To count them, with the command that removes them, run "increp verify t". To keep them, set "deletes": "keep"';
  const printed = warning.replace(', run "increp verify t".', ': increp verify t');
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toContain(printed);
  expect((await sync(pair)).table().warnings).toEqual([warning]);
  expect((await increp('plan', pair)).stdout).toContain(' increp verify t\n');
  const { summary } = await sync(pair);
  expect([...summary.warnings, ...summary.tables.flatMap(({ warnings }) => warnings)]).toEqual([]);
  const condition = async () => {
    const { json } = await increp('status --json', pair);
    return json<{ tables: { state: string; difference: unknown }[] }>().tables[0];
  };
  expect(await condition()).toMatchObject({ state: 'different', difference: { message: warning } });
  await pair.writeTables([tableOf('t', { deletes: 'keep' })]);
  expect(await condition()).toMatchObject({ state: 'ok', difference: null });
  await pair.writeTables([tableOf('t', { deletes: 'ignore' })]);
  expect((await increp('verify t --repair --force', pair)).exitCode).toBe(0);
  expect(await condition()).toMatchObject({ state: 'ok', difference: null });
  await expectSameRows(pair, 't');
});

test('child tables count as partitions, whose rows arrive and go', async () => {
  await using pair = await pairOf(`CREATE TABLE t (id int PRIMARY KEY, note text, ${STAMP});
    CREATE TABLE old () INHERITS (t); CREATE TABLE older (LIKE t INCLUDING ALL);
    INSERT INTO t (id) VALUES (1); INSERT INTO old (id) VALUES (2); INSERT INTO older VALUES (3, 'x', '2020-01-01')`);
  await sync(pair);
  await pair.source.query('ALTER TABLE older INHERIT t; ALTER TABLE old NO INHERIT t');
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, rows_deleted: 1 });
  await expectSameRows(pair, 't');
});

test('a materialized view that was never filled fails by its name, and is copied when it is', async () => {
  await using pair =
    await pairOf(`CREATE TABLE base (id int PRIMARY KEY, ${STAMP}); INSERT INTO base VALUES (1);
    CREATE MATERIALIZED VIEW t AS SELECT * FROM base WITH NO DATA`);
  const { error } = (await trySync(pair)).table();
  expect(error?.message).toContain('materialized view "t" has not been populated');
  expect((await pair.destination.query(`SELECT to_regclass('t') AS there`)).rows).toEqual([{ there: null }]);
  await pair.source.query('REFRESH MATERIALIZED VIEW t');
  await sync(pair);
  await expectSameRows(pair, 't');
});

test('rows of children that share their key with one of the parent are told of', async () => {
  await using pair = await pairOf(`CREATE TABLE t (id int PRIMARY KEY, note text, ${STAMP});
    CREATE TABLE child () INHERITS (t); INSERT INTO t VALUES (1, 'older', '2026-01-01'), (2, 'alone', '2026-01-01');
    INSERT INTO child VALUES (1, 'newer', '2026-01-02')`);
  expect((await sync(pair)).table().warnings.join()).toContain('unique_cols (id) do not identify rows');
  const { rows } = await pair.destination.query('SELECT note FROM t ORDER BY id');
  expect(rows).toEqual([{ note: 'newer' }, { note: 'alone' }]);
});

const HIDDEN = /* sql */ `
  CREATE TABLE base (id int PRIMARY KEY, note text, ${STAMP});
  INSERT INTO base SELECT i, 'row', now() FROM generate_series(1, 9) i;
  CREATE POLICY few ON base USING (id < 4); ALTER TABLE base ENABLE ROW LEVEL SECURITY`;

const HIDING: readonly (readonly [what: string, sql: string])[] = [
  ['of the table', `${HIDDEN}; ALTER TABLE base RENAME TO t`],
  [
    'of a table under a view that asks as its user',
    `${HIDDEN}; CREATE VIEW t WITH (security_invoker) AS SELECT * FROM base`,
  ],
  [
    'of a table under a view whose owner is subject to it',
    `${HIDDEN}; CREATE ROLE owner_ROLE; GRANT SELECT ON base TO owner_ROLE; GRANT CREATE ON SCHEMA public TO owner_ROLE;
     CREATE VIEW t AS SELECT * FROM base; ALTER VIEW t OWNER TO owner_ROLE`,
  ],
  [
    'forced upon its owner, under a view of that owner',
    `${HIDDEN}; CREATE ROLE owner_ROLE; GRANT CREATE ON SCHEMA public TO owner_ROLE; ALTER TABLE base OWNER TO owner_ROLE;
     ALTER TABLE base FORCE ROW LEVEL SECURITY; CREATE VIEW t AS SELECT * FROM base; ALTER VIEW t OWNER TO owner_ROLE`,
  ],
  [
    'of a partitioned table',
    `CREATE TABLE t (id int PRIMARY KEY, ${STAMP}) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t DEFAULT;
     INSERT INTO t VALUES (1); ALTER TABLE t ENABLE ROW LEVEL SECURITY`,
  ],
];

/** security_invoker is new in PostgreSQL 15. */
const hasInvokers = parseMajor(process.env['INCREP_TEST_SOURCE_VERSION']) >= 15;

for (const [what, sql] of oneIn(
  2,
  HIDING.filter((each) => hasInvokers || !each[1].includes('security_invoker')),
)) {
  test(`row-level security ${what} is an error, never a short copy`, async () => {
    const role = `owner_${Math.random().toString(36).slice(2, 10)}`;
    await using pair = await pairOf(sql.replaceAll('owner_ROLE', role));
    const refused = await trySync(pair);
    expect(refused.exitCode).toBe(77);
    expect(refused.table().error).toMatchObject({
      code: 'ROW_SECURITY',
      hint: expect.stringContaining('BYPASSRLS') as string,
    });
    expect((await pair.destination.query(`SELECT to_regclass('t') AS there`)).rows).toEqual([
      { there: null },
    ]);
    // What we may see in full we copy.
    const reader = pair.login('source', 'increp').user;
    const names = sql.includes('owner_ROLE') ? [role] : [reader];
    for (const name of names) await pair.source.query(`ALTER ROLE ${name} BYPASSRLS`);
    await sync(pair);
    await expectSameRows(pair, 't');
    await pair.source.query(`DROP OWNED BY ${reader}`);
    if (names[0] === role)
      await pair.source.query(
        `REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP OWNED BY ${role}; DROP ROLE ${role}`,
      );
  });
}

slowTest(
  'row-level security of a partition does not touch who asks its parent, as Postgres has it',
  async () => {
    await using pair = await freshPair({
      tables: [tableOf('t'), tableOf('t1')],
      sourceSql: `CREATE TABLE t (id int PRIMARY KEY, ${STAMP}) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t DEFAULT;
      INSERT INTO t SELECT i FROM generate_series(1, 9) i; CREATE POLICY few ON t1 USING (id < 4);
      ALTER TABLE t1 ENABLE ROW LEVEL SECURITY`,
    });
    const result = await trySync(pair);
    expect(result.table('t1').error).toMatchObject({ code: 'ROW_SECURITY' });
    expect(result.table('t')).toMatchObject({ status: 'ok', rows_inserted: 9 });
    await expectSameRows(pair, 't');
  },
);

for (const loader of oneIn(2, LOADERS)) {
  testWithPgDump(
    `SELECT on every single column is enough for ${loader}, and one that is missing is named`,
    async () => {
      await using pair = await pairOf(
        `CREATE TABLE t (id int PRIMARY KEY, "the note" text, ${STAMP}); INSERT INTO t VALUES (1, 'x'), (2, 'y')`,
        { initial_load: loader },
      );
      const reader = pair.login('source', 'increp').user;
      await pair.source.query(
        `REVOKE SELECT ON t FROM ${reader}; GRANT SELECT (id, "the note", updated_at) ON t TO ${reader}`,
      );
      await sync(pair);
      await expectSameRows(pair, 't');
      await pair.source.query(
        `UPDATE t SET "the note" = 'z', updated_at = now() WHERE id = 2; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (3), (4)`,
      );
      expect((await sync(pair, '--deletes')).table()).toMatchObject({
        rows_inserted: 2,
        rows_updated: 1,
        rows_deleted: 1,
      });
      expect((await increp('verify', pair)).exitCode).toBe(0);
      await pair.source.query('ALTER TABLE t ADD COLUMN secret text');
      const { error } = (await trySync(pair)).table();
      expect(error).toMatchObject({
        code: 'PRIVILEGE_MISSING',
        message: `role "${reader}" may not read "secret" of public.t at the source`,
        hint: expect.stringContaining(`GRANT SELECT ON "public"."t" TO "${reader}"`) as string,
      });
      expect((await pair.destination.query('SELECT FROM t')).rowCount).toBe(3);
    },
  );
}

slowTest(
  'a foreign table that we have no mapping for, or whose server is away, fails by what is missing',
  async () => {
    const { sql, role } = await makeAway(FOREIGN('t'));
    await using pair = await pairOf(`${sql}; DROP USER MAPPING FOR PUBLIC SERVER here;
    CREATE FOREIGN TABLE t (id int, ${STAMP}) SERVER here OPTIONS (schema_name 'away')`);
    expect((await trySync(pair)).table().error?.message).toContain('user mapping not found');
    await pair.source.query(
      `CREATE USER MAPPING FOR PUBLIC SERVER here OPTIONS (user '${role}', password 'wrong')`,
    );
    const { error } = (await trySync(pair)).table();
    expect(error?.message).toContain('could not connect to server "here"');
    expect((await pair.destination.query(`SELECT to_regclass('t') AS there`)).rows).toEqual([
      { there: null },
    ]);
    await dropAway(pair, role);
  },
);

test('a view that is gone is called a view', async () => {
  await using pair = await pairOf(`CREATE TABLE base (id int PRIMARY KEY, note text, ${STAMP});
    INSERT INTO base (id, note) VALUES (1, 'one'); CREATE VIEW t AS SELECT * FROM base`);
  await sync(pair);
  await pair.source.query('DROP VIEW t');
  const { error } = (await trySync(pair)).table();
  expect(error?.hint).toMatch(/^If the table or view was dropped, remove "t" from/);
});
