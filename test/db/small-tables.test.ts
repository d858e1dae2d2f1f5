/** What fills a whole table where the configuration leaves that open: COPY for a small one, pg_dump for a large one. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { sync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

const KEYED = { replication_key: 'updated_at', unique_cols: ['id'] };
/** 16 MB. */
const LARGE = /* sql */ `CREATE TABLE large (id int PRIMARY KEY, filler text, updated_at timestamptz NOT NULL DEFAULT now());
  INSERT INTO large SELECT i, repeat('x', 1600) FROM generate_series(1, 10000) i`;
const SMALL = /* sql */ `CREATE TABLE small (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
  INSERT INTO small VALUES (1)`;

const planOf = async (pair: Parameters<typeof sync>[0]) =>
  (await increp('plan --json', pair)).json<{
    tables: { name: string; loader: string; loader_reason: string | null; warnings: string[] }[];
  }>().tables;

testWithPgDump.each(oneIn(2, ['as it was made', 'analyzed']))(
  'by default the size decides, %s',
  async (how) => {
    await using pair = await freshPair({
      tables: [
        { ...KEYED, name: 'large' },
        { ...KEYED, name: 'small' },
      ],
      sourceSql: `${LARGE}; ALTER TABLE large SET (autovacuum_enabled = off); ${SMALL}`,
    });
    if (how === 'analyzed') await pair.source.query('ANALYZE');
    expect(await planOf(pair)).toMatchObject([
      { name: 'large', loader: 'pg_dump', warnings: [] },
      { name: 'small', loader: 'copy', loader_reason: 'COPY is faster for a small table', warnings: [] },
    ]);
    const { table, stderr } = await sync(pair);
    expect(table('large')).toMatchObject({ loader: 'pg_dump', rows_inserted: 10_000, warnings: [] });
    expect(table('small')).toMatchObject({ loader: 'copy', rows_inserted: 1, warnings: [] });
    expect(stderr).not.toContain('warning');
    await expectSameRows(pair, 'small');
  },
);

testWithPgDump('what the configuration names is done', async () => {
  await using pair = await freshPair({
    tables: [{ ...KEYED, name: 'small', initial_load: 'pg_dump' }],
    sourceSql: SMALL,
  });
  expect((await sync(pair)).table()).toMatchObject({ loader: 'pg_dump', warnings: [] });
});

test('what needs no action is no warning, and a quiet run says nothing at all', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'p', mode: 'full-refresh' }],
    sourceSql: `CREATE TABLE p (id int, d date) PARTITION BY RANGE (d);
      CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
      INSERT INTO p VALUES (1, '2024-02-02')`,
  });
  expect((await sync(pair)).table()).toMatchObject({ loader: 'copy', warnings: [] });
  const quiet = await increp('sync --quiet', pair);
  expect([quiet.exitCode, quiet.stdout, quiet.stderr]).toEqual([0, '', '']);
  const [plan] = await planOf(pair);
  expect(plan).toMatchObject({
    loader_reason: 'pg_dump writes no rows for a partitioned table',
    warnings: [],
  });
});
