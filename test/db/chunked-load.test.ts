/** A table too large for one go is loaded in chunks: which tables can be, and what arrives. */
import { expect, test } from 'vitest';
import { big, BIG, chunked, fill, killAfter, STAMP } from '../support/chunked.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

/** Nothing of a load is left, and the next sync finds nothing to do. */
async function expectFinished(pair: Pair, table = 'big'): Promise<void> {
  await expectSameRows(pair, table);
  const left = await pair.destination.query(
    `SELECT table_name AS name FROM _increp_loads UNION ALL SELECT load_id FROM _increp_chunks
     UNION ALL SELECT relname FROM pg_class WHERE relname LIKE '%increp_window%'`,
  );
  expect(left.rows).toEqual([]);
  const next = (await sync(pair)).table(table);
  expect(next).toMatchObject({ action: 'incremental', rows_inserted: 0, rows_updated: 0, rows_deleted: 0 });
}

const CHUNKS = /; in (\d+) chunks$/;
const countOf = (reason: string) => Number(CHUNKS.exec(reason)?.[1]);

test('a plain table arrives byte for byte, and each of its rows is read once', async () => {
  await using pair = await freshPair(big());
  const result = (await sync(pair)).table();
  expect(countOf(result.reason)).toBeGreaterThan(10);
  // But for the newest, which lies in the window at the end as well.
  expect(result).toMatchObject({ action: 'initial', loader: 'copy', rows_read: 20_001, warnings: [] });
  expect(result).toMatchObject({ rows_inserted: 20_000, rows_updated: 0, rows_unchanged: 0 });
  await expectFinished(pair);
});

slowTest('rows that all have one key are read twice, and the reason says so', async () => {
  const sourceSql = `${BIG}; UPDATE big SET updated_at = '2026-01-01'`;
  await using pair = await freshPair({ ...big(), sourceSql });
  const result = (await sync(pair)).table();
  expect(result).toMatchObject({ rows_read: 40_000, rows_inserted: 20_000 });
  expect(result.reason).toMatch(
    /; 20,000 rows read a second time after the last chunk: their updated_at is /,
  );
});

test('rows that are read twice are counted apart', async () => {
  await using pair = await freshPair(big());
  await pair.source.query(`UPDATE big SET updated_at = '2026-01-01'`);
  expect((await increp('sync', pair)).stdout).toMatch(
    /20,000\s+read,\s+20,000\s+read\s+again,\s+20,000\s+inserted/,
  );
});

test.each<[string, string, object]>(
  oneIn(6, [
    [
      'a partitioned table with partitions of very different sizes',
      `CREATE TABLE big (id bigint, note text, ${STAMP}, PRIMARY KEY (id)) PARTITION BY RANGE (id);
     CREATE TABLE big_1 PARTITION OF big FOR VALUES FROM (0) TO (10);
     CREATE TABLE big_2 PARTITION OF big FOR VALUES FROM (10) TO (2000) PARTITION BY RANGE (id);
     CREATE TABLE big_2a PARTITION OF big_2 FOR VALUES FROM (10) TO (1000);
     CREATE TABLE big_2b PARTITION OF big_2 FOR VALUES FROM (1000) TO (2000);
     CREATE TABLE big_3 PARTITION OF big DEFAULT; ${fill('big')}`,
      {},
    ],
    [
      'an inheritance parent',
      `${BIG}; CREATE TABLE child (extra text) INHERITS (big); ${fill('child', 9000, 50_000)}`,
      {},
    ],
    [
      'a materialized view',
      `CREATE TABLE base (id bigint, note text, ${STAMP}); ${fill('base')};
     CREATE MATERIALIZED VIEW big AS SELECT * FROM base`,
      {},
    ],
    [
      'a table most of which is stored out of line',
      `CREATE TABLE big (id bigint PRIMARY KEY, note text, raw bytea, ${STAMP});
     ALTER TABLE big ALTER raw SET STORAGE EXTERNAL;
     INSERT INTO big SELECT i, repeat('note ', 200), decode(repeat(lpad(to_hex(i), 8, '0'), 2000), 'hex'), now() - i * interval '1 h'
       FROM generate_series(1, 400) i; INSERT INTO big (id) VALUES (0)`,
      {},
    ],
    [
      'rows of types that go as text, and a generated column',
      `CREATE TYPE mood AS ENUM ('sad', 'so so');
     CREATE TABLE big (id bigint PRIMARY KEY, note text, feels mood DEFAULT 'so so', price money DEFAULT 12.5,
       half bigint GENERATED ALWAYS AS (id / 2) STORED, ${STAMP}); ${fill('big')}`,
      {},
    ],
    [
      'a key of integers',
      `CREATE TABLE big (id bigint PRIMARY KEY, note text, seq bigserial); INSERT INTO big (id, note)
       SELECT i, repeat('note ', 20) || i FROM generate_series(1, 20000) i`,
      { replication_key: 'seq' },
    ],
    [
      'a key of dates',
      `CREATE TABLE big (id bigint PRIMARY KEY, note text, day date);
     INSERT INTO big SELECT i, repeat('note ', 20) || i, date '2020-01-01' + i % 500 FROM generate_series(1, 20000) i`,
      { replication_key: 'day' },
    ],
    ['chunks of a number of rows, as a number', `${BIG}; ANALYZE big`, { chunk: 1500 }],
    ['chunks of a number of rows, in a table that nobody has analyzed', BIG, { chunk: '1500 rows' }],
  ]),
)('same bytes: %s', async (_what, sourceSql, more) => {
  await using pair = await freshPair({ tables: [chunked('big', more)], sourceSql });
  const { reason, warnings } = (await sync(pair)).table();
  expect(countOf(reason)).toBeGreaterThan(5);
  expect(warnings).toEqual([]);
  await expectFinished(pair);
});

slowTest('the number of rows is met as well as the statistics are true', async () => {
  await using pair = await freshPair({
    tables: [chunked('big', { chunk: '2000 rows' })],
    sourceSql: `${BIG}; ANALYZE big`,
  });
  expect(countOf((await sync(pair)).table().reason)).toBeGreaterThanOrEqual(10);
  expect(countOf((await sync(pair, '--full-refresh')).table().reason)).toBeLessThanOrEqual(11);
});

slowTest('rows without a replication key come with their chunks, and are warned of', async () => {
  await using pair = await freshPair({
    tables: [chunked('big')],
    sourceSql: `CREATE TABLE big (id bigint PRIMARY KEY, note text, updated_at timestamptz); ${fill('big')};
      UPDATE big SET updated_at = NULL WHERE id % 100 = 0; UPDATE big SET updated_at = 'infinity' WHERE id % 100 = 1`,
  });
  expect((await sync(pair)).table().warnings).toEqual([
    expect.stringContaining('200 rows have no updated_at'),
  ]);
  await expectSameRows(pair, 'big');
});

slowTest('of rows that share a merge key the newest stays, as in a load in one go', async () => {
  const rows = `CREATE TABLE big (id bigint, note text, ${STAMP}); ${fill('big')};
    UPDATE big SET id = id % 15000; UPDATE big SET updated_at = now() - interval '2 h' WHERE id % 10 = 0;
    CREATE TABLE same AS SELECT * FROM big; CREATE TABLE nullable AS SELECT * FROM big;
    UPDATE nullable SET id = NULL WHERE id < 100; ALTER TABLE same ALTER id SET NOT NULL`;
  const one = { chunk: undefined, unique_cols: ['id'] };
  await using pair = await freshPair({
    tables: [
      chunked('same', { dest_name: 'same_in_one_go', ...one }),
      chunked('nullable', { dest_name: 'nullable_in_one_go', ...one }),
    ],
    sourceSql: rows,
  });
  await sync(pair);
  await pair.writeTables([chunked('same'), chunked('nullable')]);
  const result = await sync(pair);
  for (const name of ['same', 'nullable']) {
    expect(countOf(result.table(name).reason)).toBeGreaterThan(5);
    expect(result.table(name).warnings).toEqual([
      expect.stringContaining(`the former destination table public.${name}_in_one_go stays`),
      expect.stringMatching(/unique_cols \(id\) do not identify rows/),
    ]);
    const { rows: differing } = await pair.destination.query(
      `(TABLE ${name} EXCEPT ALL TABLE ${name}_in_one_go) UNION ALL (TABLE ${name}_in_one_go EXCEPT ALL TABLE ${name})`,
    );
    expect(differing).toEqual([]);
  }
});

slowTest('four jobs make the same table', async () => {
  await using pair = await freshPair(big({ load_jobs: 4, chunk: '64kB' }));
  const { reason } = (await sync(pair)).table();
  expect(countOf(reason)).toBeGreaterThan(30);
  await expectFinished(pair);
});

slowTest('--verify compares the whole of it, in a new table and in one that stays', async () => {
  await using pair = await freshPair(big());
  await sync(pair, '--verify');
  await expectSameRows(pair, 'big');
  await pair.destination.query(
    `CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.note := 'meddled'; RETURN new; END $$;
     CREATE TRIGGER meddle BEFORE UPDATE ON big FOR EACH ROW EXECUTE FUNCTION meddle()`,
  );
  await sync(pair, '--full-refresh --verify');
  await pair.destination
    .query(`ALTER TABLE big DISABLE TRIGGER USER; UPDATE big SET note = 'wrong' WHERE id = 7;
    ALTER TABLE big ENABLE TRIGGER USER`);
  const result = await increp('sync --full-refresh --verify --json', pair);
  expect(result.exitCode).toBe(2);
  expect(result.lines().at(-1)).toMatchObject({ tables: [{ error: { code: 'VERIFY_FAILED' } }] });
});

slowTest('types of the source are made at the destination before the first chunk', async () => {
  await using pair = await freshPair({
    tables: [chunked('big', { types: 'native' })],
    sourceSql: `CREATE TYPE mood AS ENUM ('sad', 'so so');
      CREATE TABLE big (id bigint PRIMARY KEY, note text, feels mood DEFAULT 'so so', ${STAMP}); ${fill('big')}`,
  });
  expect((await sync(pair)).table().reason).toMatch(/; in \d+ chunks/);
  await expectSameRows(pair, 'big');
  const { rows } = await pair.destination.query(`SELECT pg_typeof(feels)::text AS type FROM big LIMIT 1`);
  expect(rows).toEqual([{ type: 'mood' }]);
});

slowTest('rows marked as deleted, and columns that people have added, outlive it', async () => {
  await using pair = await freshPair(big({ deletes: 'soft' }));
  await sync(pair);
  await pair.destination.query(
    'ALTER TABLE big ADD label text; UPDATE big SET label = id::text WHERE id < 100',
  );
  await pair.source.query('DELETE FROM big WHERE id BETWEEN 10 AND 19');
  // The table stays first, and gives way to another one then.
  for (const change of ['', 'ALTER TABLE big ALTER note TYPE varchar(999)']) {
    if (change !== '') await pair.source.query(change);
    expect((await sync(pair, '--full-refresh')).table().reason).toMatch(CHUNKS);
    await expectSameRows(pair, 'big', { where: 'id NOT BETWEEN 10 AND 19' });
    const { rows } = await pair.destination.query(
      `SELECT count(*) FILTER (WHERE _deleted_at IS NOT NULL)::int AS marked, count(label)::int AS labels FROM big`,
    );
    expect(rows).toEqual([{ marked: 10, labels: 99 }]);
  }
});

slowTest('what has no pages to be read by is loaded in one go, and the reason is told', async () => {
  await using pair = await freshPair({
    tables: [chunked('seen'), chunked('granted'), chunked('keyless')],
    sourceSql: `${BIG}; CREATE VIEW seen AS SELECT * FROM big;
      CREATE TABLE granted AS TABLE big; CREATE TABLE keyless AS TABLE big; UPDATE keyless SET updated_at = NULL`,
  });
  const { user } = pair.login('source', 'increp');
  await pair.source.query(
    `REVOKE SELECT ON granted FROM ${user}; GRANT SELECT (id, note, updated_at) ON granted TO ${user}`,
  );
  const plan = await increp('plan', pair);
  expect(plan.stdout).toMatch(/note: loaded as a whole instead of in chunks: a view has no pages/);
  const result = await sync(pair);
  const whyOf = (name: string) => result.table(name).warnings.filter((text) => /as a whole/.test(text));
  expect(whyOf('seen')).toEqual([expect.stringMatching(/instead of in chunks: a view has no pages/)]);
  expect(whyOf('granted')).toEqual([expect.stringMatching(/needs SELECT on the whole table/)]);
  expect(whyOf('keyless')).toEqual([expect.stringMatching(/no row has a plausible updated_at/)]);
  for (const name of ['seen', 'granted', 'keyless']) await expectSameRows(pair, name);
});

test('after a full disk, the hint names the command that frees the staging table', async () => {
  await using pair = await freshPair(big());
  await sync(pair);
  await pair.destination.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END$$;
    CREATE TRIGGER refuse BEFORE UPDATE ON _increp_chunks FOR EACH ROW WHEN (new.chunk = 3) EXECUTE FUNCTION refuse();
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON big FOR EACH ROW EXECUTE FUNCTION refuse()`);
  const failure = async (flags?: string) => (await trySync(pair, flags)).table();
  const refused = await failure('--full-refresh');
  expect(refused).toMatchObject({
    rows_read: expect.any(Number) as number,
    error: {
      code: 'DISK_FULL',
      message: expect.stringMatching(/; 3 of 13 chunks are kept$/) as string,
      hint: expect.stringContaining(
        ' discard the load, which frees the space of public.big_stg: "increp sync big".',
      ) as string,
    },
  });
  expect(refused.rows_read).toBeGreaterThan(4000);
  const sizeOfStaging = async () =>
    (await pair.destination.query(`SELECT pg_relation_size(to_regclass('big_stg'))::int AS size`)).rows[0];

  // That command frees the space also if it meets the full disk itself.
  await pair.source.query(`UPDATE big SET note = 'changed', updated_at = now() WHERE id = 5`);
  expect((await failure()).error).toMatchObject({
    hint: expect.stringMatching(
      / increp has discarded an interrupted load and emptied public\.big_stg, /,
    ) as string,
  });
  expect(await sizeOfStaging()).toEqual({ size: 0 });

  await pair.destination.query('DROP TABLE big');
  await increp('reset big', pair);
  expect((await failure()).error).toMatchObject({
    hint: expect.stringMatching(
      / discard the load, which frees the space of public\.big_stg: "increp reset big"\./,
    ) as string,
  });
  await increp('reset big', pair);
  expect(await sizeOfStaging()).toEqual({ size: null });
  await pair.destination.query('DROP TRIGGER refuse ON _increp_chunks');
  await sync(pair);
  await expectFinished(pair);
});

test('a table no larger than a chunk, an empty one, and a table of other settings say nothing of chunks', async () => {
  await using pair = await freshPair({
    tables: [chunked('big', { chunk: '1GB' }), chunked('empty')],
    sourceSql: `${BIG}; CREATE TABLE empty (LIKE big INCLUDING ALL)`,
  });
  const result = await sync(pair);
  for (const name of ['big', 'empty']) {
    expect(result.table(name)).toMatchObject({ reason: 'there is no destination table yet', warnings: [] });
    await expectSameRows(pair, name);
  }
});

test('a table of somebody else in the way is refused before a row is read', async () => {
  await using pair = await freshPair({ ...big(), destinationSql: 'CREATE TABLE big_increp_window (a int)' });
  const result = await increp('sync --json', pair);
  expect(result.exitCode).toBe(1);
  expect(result.lines().at(-1)).toMatchObject({ tables: [{ error: { code: 'STAGING_NAME_CONFLICT' } }] });
});

slowTest('tables of ours that a hand has dropped are made again', async () => {
  await using pair = await freshPair(big());
  for (const dropped of ['_increp_chunks', '_increp_loads CASCADE', '_increp_chunks, _increp_loads']) {
    await sync(pair, '--full-refresh');
    await pair.destination.query(`DROP TABLE ${dropped}`);
  }
  await sync(pair, '--full-refresh');
  await expectFinished(pair);
});

slowTest('an interrupted load goes on after changes that leave the copied columns as they are', async () => {
  await using pair = await freshPair(big({ columns: ['id', 'note', 'updated_at'] }));
  await killAfter(pair, 3);
  await pair.source.query(`CREATE INDEX ON big (updated_at); ALTER TABLE big ADD extra int DEFAULT 7;
    ALTER TABLE big ALTER note SET DEFAULT 'none', ALTER note SET STATISTICS 50`);
  expect((await sync(pair)).table().reason).toMatch(/continues an interrupted load/);
  await expectSameRows(pair, 'big', { columns: ['id', 'note', 'updated_at'] });
});
