/** Tables as wide as Postgres lets them be: what cannot be copied is known before a row is read. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const keyed = { replication_key: 'updated_at', unique_cols: ['id'] };
const wide = (columns: number) => /* sql */ `
  DO $$ BEGIN EXECUTE 'CREATE TABLE wide (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now(), '
    || (SELECT string_agg('c' || i || ' int', ', ') FROM generate_series(1, ${columns - 2}) i) || ')'; END $$;
  INSERT INTO wide (id) VALUES (1)`;

test.each(oneIn(2, [{ deletes: 'soft' }, { metadata_columns: ['_synced_at'] }]))(
  'a table of 1,600 columns has no room for a column of increp: %j',
  async (option) => {
    await using pair = await freshPair({
      tables: [{ name: 'wide', ...keyed, ...option }],
      sourceSql: wide(1600),
    });
    const checked = await increp('check', pair);
    expect(checked.exitCode).toBe(78);
    expect(checked.stdout).toContain('public.wide has 1600 columns');
    expect((await trySync(pair)).table().error).toMatchObject({ code: 'NOT_SUPPORTED' });
  },
);

slowTest(
  '700 enum columns: check says that a row may be too big as text, and native types have room',
  async () => {
    const label = 'a label of thirty characters..';
    const sourceSql = /* sql */ `CREATE TYPE mood AS ENUM ('${label}');
    DO $$ BEGIN EXECUTE 'CREATE TABLE moods (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now(), '
      || (SELECT string_agg('c' || i || ' mood DEFAULT ''${label}''', ', ') FROM generate_series(1, 700) i) || ')'; END $$;
    INSERT INTO moods (id) VALUES (1)`;
    await using pair = await freshPair({ tables: [{ name: 'moods', ...keyed }], sourceSql });
    const checked = await increp('check', pair);
    expect(checked.stdout).toContain('ROW_SIZE');
    expect((await trySync(pair)).table().error?.hint).toContain('set "types" to "native"');
    await pair.writeTables([{ name: 'moods', ...keyed, types: 'native' }]);
    expect((await increp('check', pair)).stdout).not.toContain('ROW_SIZE');
    await sync(pair);
    await expectSameRows(pair, 'moods');
  },
);

test('a value of unique_cols that is too long for an index is named as such', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'pages', replication_key: 'updated_at', unique_cols: ['url'] }],
    sourceSql: `CREATE TABLE pages (url text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
      CREATE UNIQUE INDEX ON pages (md5(url));
      INSERT INTO pages SELECT string_agg(md5(g::text), '') FROM generate_series(1, 300) g`,
  });
  const { error } = (await trySync(pair)).table();
  expect(error).toMatchObject({
    code: 'QUERY_FAILED',
    sqlstate: '54000',
    hint: expect.stringContaining('A value of unique_cols is too long') as string,
  });
});
