import { describe, expect, test } from 'vitest';
import { TABLE } from './pipeline-directory.ts';
import { load, problems } from './load-tables.ts';

test('the same problem of several tables is one line', async () => {
  const tables = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
  expect(await problems({ defaults: { replication_key: 'at' }, tables })).toEqual([
    expect.stringMatching(/^tables-config.json, tables\[0\].unique_cols \(tables a, b, c\): missing;/),
  ]);
});

describe('a key with the name that another program has for it', () => {
  const { replication_key: column, unique_cols: keys, ...unkeyed } = TABLE;

  test.each([
    [{ primary_key: keys }, 'primary_key', 'unique_cols'],
    [{ 'Primary-Keys': keys }, 'Primary-Keys', 'unique_cols'],
    [{ primaryKey: 'a, b' }, 'primaryKey', '"unique_cols": ["a","b"]'],
    [{ pk: 'id' }, 'pk', '"unique_cols": ["id"]'],
    [{ key: 5 }, 'key', 'unique_cols'],
  ])('%j is one problem, with the key of increp', async (change, key, meant) => {
    const problem = `${key} (table orders): unknown key; did you mean ${meant}?`;
    expect(await problems([{ ...unkeyed, replication_key: column, ...change }])).toEqual([
      `tables-config.json, [0].${problem}`,
    ]);
  });

  test.each([
    ['cursor_field', 'replication_key'],
    ['cursor', 'replication_key'],
    ['incremental_key', 'replication_key'],
    ['updated_at', 'replication_key'],
    ['updated_at_column', 'replication_key'],
    ['destination', 'dest_name'],
    ['dest_table', 'dest_name'],
    ['target', 'dest_name'],
    ['table', 'name'],
    ['exclude', 'exclude_columns'],
    ['filter', 'where'],
    ['sync_mode', 'mode'],
    ['cron', 'schedule'],
  ])('%s means %s', async (key, meant) => {
    const { [meant]: _, ...entry }: Record<string, unknown> = TABLE;
    const said = await problems([{ ...entry, [key]: 5 }]);
    expect(said).toEqual([expect.stringMatching(new RegExp(`${key}.*: unknown key; did you mean ${meant}`))]);
  });

  test('has the meaning that no other key of the object has', async () => {
    const { unique_cols: _, replication_key: __, ...entry }: Record<string, unknown> = TABLE;
    const [key, unique] = await problems([{ ...entry, key: 'at', primary_key: ['id'] }]);
    expect([key, unique]).toEqual([
      expect.stringMatching(/\.key.*: unknown key; did you mean replication_key\?$/),
      expect.stringMatching(/\.primary_key.*: unknown key; did you mean unique_cols\?$/),
    ]);
  });

  test('in the defaults is one problem, not one of each table', async () => {
    const tables = [{ name: 'a' }, { name: 'b' }];
    expect(await problems({ defaults: { replication_key: 'at', primary_key: ['id'] }, tables })).toEqual([
      'tables-config.json, defaults.primary_key: unknown key; did you mean unique_cols?',
    ]);
  });

  test('is looked for among the keys of its object', async () => {
    const said = await problems({
      tables: [{ ...TABLE, schedule: { tz: 'UTC', cron: '* * * * *' } }],
      threads: 2,
    });
    expect(said).toEqual([
      'tables-config.json, threads: unknown key; did you mean jobs?',
      'tables-config.json, tables[0].schedule.tz (table orders): unknown key; did you mean time_zone?',
    ]);
  });

  test('is in one list of all keys if nothing is near', async () => {
    const said = await problems([{ ...TABLE, zzz: 1, xxx: 2 }]);
    expect(said[0]).toBe('tables-config.json, [0].zzz (table orders): unknown key; allowed:');
    expect(said.at(-1)).toBe(
      'tables-config.json, [0].xxx (table orders): unknown key; allowed: the names above',
    );
    expect(Math.max(...said.map((line) => line.length))).toBeLessThan(110);
  });
});

test('an entry that is only a name is shown as it should be', async () => {
  expect(await problems({ tables: ['orders'] })).toEqual([
    expect.stringMatching(/"orders" is not allowed; .*; did you mean \{"name":"orders"\}\?$/),
  ]);
});

describe('a wrong value is shown with its place, what is allowed and what was probably meant', () => {
  const name = 'a name of 1 to 63 bytes';
  const columns = 'an array of different column names, at least one and at most 32';
  const duration = 'a duration such as "250ms", "10s", "5m", "24h" or "7d"';

  test.each([
    [
      { on_schema_change: 'rset' },
      '.on_schema_change',
      '"rset" is not allowed; allowed: "reset", "evolve" or "fail"; did you mean reset?',
    ],
    [{ initial_load: 5 }, '.initial_load', '5 is not allowed; allowed: "auto", "pg_dump" or "copy"'],
    [{ null_keys: null }, '.null_keys', 'null is not allowed; allowed: "warn" or "include"'],
    [{ lookback: 10 }, '.lookback', `10 is not allowed; allowed: ${duration}`],
    [{ max_staleness: '1 hour' }, '.max_staleness', `"1 hour" is not allowed; allowed: ${duration}`],
    [{ enabled: 'no' }, '.enabled', '"no" is not allowed; allowed: true or false'],
    [{ replication_key: '' }, '.replication_key', `"" is not allowed; allowed: ${name}`],
    [
      { replication_key: undefined },
      '.replication_key',
      `missing; required unless mode is full-refresh; allowed: ${name}`,
    ],
    [{ dest_name: 'é'.repeat(32) }, '.dest_name', `"${'é'.repeat(32)}" is not allowed; allowed: ${name}`],
    [{ unique_cols: [] }, '.unique_cols', `[] is not allowed; allowed: ${columns}`],
    [{ unique_cols: 'id' }, '.unique_cols', 'must be an array such as ["id"]'],
    [{ unique_cols: 'a, b' }, '.unique_cols', 'must be an array such as ["a","b"]'],
    [{ unique_cols: ['a', 'a'] }, '.unique_cols', `["a","a"] is not allowed; allowed: ${columns}`],
    [{ unique_cols: ['a', 1] }, '.unique_cols[1]', `1 is not allowed; allowed: ${name}`],
    [{ unique_col: ['a'] }, '.unique_col', 'unknown key; did you mean unique_cols?'],
  ])('%j', async (change, path, what) => {
    const document = {
      tables: [
        { ...TABLE, name: 'a' },
        { ...TABLE, ...change },
      ],
    };
    expect(await problems(document)).toEqual([
      `tables-config.json, tables[1]${path} (table orders): ${what}`,
    ]);
  });

  test('more columns than an index can have', async () => {
    const many = (length: number) => Array.from({ length }, (_, place) => `c${place}`);
    expect(await problems([{ ...TABLE, unique_cols: many(33) }])).toEqual([
      expect.stringContaining(`... is not allowed; allowed: ${columns}`),
    ]);
    expect((await load([{ ...TABLE, unique_cols: many(32) }])).tables).toHaveLength(1);
  });

  test('in an array of tables, too', async () => {
    expect(await problems([{ ...TABLE, lookbak: '1s' }])).toEqual([
      'tables-config.json, [0].lookbak (table orders): unknown key; did you mean lookback?',
    ]);
  });

  test('all of them at once, also those of tables without a name', async () => {
    expect(await problems([{ unique_cols: [], enabled: 1 }, 7, null])).toEqual([
      `tables-config.json, [0].name: missing; allowed: ${name}`,
      `tables-config.json, [0].unique_cols: [] is not allowed; allowed: ${columns}`,
      'tables-config.json, [0].enabled: 1 is not allowed; allowed: true or false',
      `tables-config.json, [0].replication_key: missing; required unless mode is full-refresh; allowed: ${name}`,
      expect.stringContaining('[1]: 7 is not allowed; allowed: an object with a name'),
      expect.stringContaining('[2]: null is not allowed; allowed: an object with a name'),
    ]);
  });

  test('cut where it is very long', async () => {
    const [problem] = await problems([{ ...TABLE, lookback: 'x'.repeat(10_000) }]);
    expect(problem?.length).toBeLessThan(250);
  });
});
