/** What a source may be besides a plain table: loaded by either loader, followed, its deletes carried over, verified. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { LOADERS, pairOf, STAMP, tableOf } from '../support/source-kinds.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

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
