/**
 * Hypertables and distributed tables. The extensions are not here: their catalogs are made by hand, in the shape that
 * increp reads, and the chunks are real child tables.
 */
import { expect, test } from 'vitest';
import { disguise } from '../support/disguise.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowKind } from '../support/tier.ts';

const STAMP = 'updated_at timestamptz NOT NULL DEFAULT now()';

const HYPERTABLE = /* sql */ `
  CREATE SCHEMA _timescaledb_catalog; CREATE SCHEMA _timescaledb_internal;
  CREATE TABLE _timescaledb_catalog.hypertable (id int PRIMARY KEY, schema_name name, table_name name);
  GRANT USAGE ON SCHEMA _timescaledb_catalog TO PUBLIC;
  GRANT SELECT ON _timescaledb_catalog.hypertable TO PUBLIC;
  CREATE TABLE t (id int, note text, ${STAMP});
  INSERT INTO _timescaledb_catalog.hypertable VALUES (1, 'public', 't'), (2, 'public', 'later');`;

const CHUNK = /* sql */ `
  CREATE TABLE _timescaledb_internal._hyper_1_1_chunk (PRIMARY KEY (id)) INHERITS (t);
  INSERT INTO _timescaledb_internal._hyper_1_1_chunk (id, note) SELECT i, 'row ' || i FROM generate_series(1, 30) i;`;

const CHANGE = /* sql */ `
  INSERT INTO _timescaledb_internal._hyper_1_1_chunk (id, note) VALUES (101, 'new'), (102, 'new');
  UPDATE t SET note = 'changed', updated_at = now() WHERE id = 2; DELETE FROM t WHERE id = 5`;

const tableOf = (more: object = {}) => ({
  name: 't',
  replication_key: 'updated_at',
  unique_cols: ['id'],
  deletes: 'hard',
  lookback: '0s',
  ...more,
});

testWithPgDump(
  'a hypertable arrives with the rows of its chunks, although pg_dump was asked for',
  async () => {
    await using pair = await freshPair({
      tables: [tableOf({ initial_load: 'pg_dump' })],
      sourceSql: HYPERTABLE + CHUNK,
      isOwn: true,
    });
    const loaded = (await sync(pair)).table();
    expect(loaded).toMatchObject({ loader: 'copy', rows_inserted: 30 });
    expect(loaded.reason).toContain('TimescaleDB keeps the rows elsewhere, and pg_dump would omit them');
    await pair.source.query(CHANGE);
    expect((await sync(pair, '--deletes')).table()).toMatchObject({
      action: 'incremental',
      rows_inserted: 2,
      rows_updated: 1,
      rows_deleted: 1,
    });
    await expectSameRows(pair, 't');
    expect((await increp('verify', pair)).exitCode).toBe(0);
  },
);

testWithPgDump('a hypertable without chunks yet, and a chunk by itself, never load by pg_dump', async () => {
  await using pair = await freshPair({
    tables: [
      tableOf({ name: 'later', initial_load: 'pg_dump' }),
      tableOf({ name: '_hyper_1_1_chunk', schema: '_timescaledb_internal', initial_load: 'pg_dump' }),
    ],
    sourceSql: `${HYPERTABLE}${CHUNK} CREATE TABLE later (id int PRIMARY KEY, ${STAMP});
      GRANT USAGE ON SCHEMA _timescaledb_internal TO PUBLIC;
      GRANT SELECT ON ALL TABLES IN SCHEMA _timescaledb_internal, public TO PUBLIC`,
    destinationSql: 'CREATE SCHEMA _timescaledb_internal',
    isOwn: true,
  });
  const { summary } = await sync(pair);
  for (const table of summary.tables) {
    expect(table).toMatchObject({ loader: 'copy' });
    expect(table.reason).toContain('TimescaleDB keeps the rows elsewhere');
  }
});

/** A real access method with the code of heap. Columnar storage has another name too. */
const OTHER_STORAGE = /* sql */ `
  CREATE ACCESS METHOD columnar TYPE TABLE HANDLER heap_tableam_handler;
  CREATE TABLE t (id int PRIMARY KEY, note text, ${STAMP}) USING columnar;
  INSERT INTO t (id, note) SELECT i, 'row ' || i FROM generate_series(1, 30) i`;

test.each(
  oneIn(2, [
    ['a hypertable', HYPERTABLE + CHUNK, CHANGE, 'TimescaleDB keeps the rows elsewhere'],
    [
      'a table in other storage',
      OTHER_STORAGE,
      CHANGE.replaceAll('_timescaledb_internal._hyper_1_1_chunk', 't'),
      'it is not stored in pages',
    ],
  ]),
)('no query asks %s for xmin or ctid, which its rows may not have', async (_, sourceSql, change, why) => {
  await using pair = await freshPair({
    tables: [tableOf({ initial_load: 'copy', chunk: '8kB' })],
    sourceSql,
    isOwn: true,
  });
  await using proxy = await disguise(pair.login('source', 'increp'), {});
  await pair.setEnv({ SOURCE_HOST: proxy.host, SOURCE_PORT: String(proxy.port) });
  const loaded = (await sync(pair)).table();
  expect(loaded.warnings.join()).toContain(why);
  await sync(pair);
  await pair.source.query(change);
  await sync(pair, '--deletes');
  for (const command of ['verify', 'check', 'plan']) expect((await increp(command, pair)).exitCode).toBe(0);
  const onTable = proxy.heard.split(/[;\0]/).filter((statement) => statement.includes('"public"."t"'));
  expect(onTable.length).toBeGreaterThan(5);
  for (const statement of onTable) expect(statement).not.toMatch(/\b(xmin|ctid)\b/);
});

/** In pg_catalog, as Citus has it. */
const CITUS = /* sql */ `
  SET allow_system_table_mods = on;
  CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass NOT NULL, partmethod "char" NOT NULL, partkey text,
    colocationid int NOT NULL DEFAULT 0, repmodel "char" NOT NULL DEFAULT 's');
  GRANT SELECT ON pg_catalog.pg_dist_partition TO PUBLIC;
  CREATE TABLE t (id int PRIMARY KEY, note text, ${STAMP});
  INSERT INTO t (id, note) SELECT i, 'row ' || i FROM generate_series(1, 20) i;
  CREATE TABLE plain (id int PRIMARY KEY, ${STAMP});
  INSERT INTO plain (id) VALUES (1);
  INSERT INTO pg_catalog.pg_dist_partition VALUES ('t', 'h', NULL, 1, 's')`;

slowKind(testWithPgDump)(
  'a table that Citus distributes never loads by pg_dump, and a local one may',
  async () => {
    await using pair = await freshPair({
      tables: [tableOf({ initial_load: 'pg_dump' }), tableOf({ name: 'plain', initial_load: 'pg_dump' })],
      sourceSql: CITUS,
      isOwn: true,
    });
    const { summary } = await sync(pair);
    const [distributed, plain] = summary.tables;
    expect(distributed).toMatchObject({ loader: 'copy', rows_inserted: 20 });
    expect(distributed?.reason).toContain('Citus keeps the rows elsewhere, and pg_dump would omit them');
    expect(plain).toMatchObject({ loader: 'pg_dump' });
    const checked = await increp('check', pair);
    expect(checked.stdout).toContain('LATE_VISIBILITY');
  },
);

test('the catalog of an extension that the role may not read is left alone', async () => {
  await using pair = await freshPair({
    tables: [tableOf({ initial_load: 'copy' })],
    sourceSql: `${HYPERTABLE}${CHUNK} REVOKE USAGE ON SCHEMA _timescaledb_catalog FROM PUBLIC; CREATE SCHEMA sys`,
    isOwn: true,
  });
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 30 });
});
