import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EVERYTHING } from '../../../src/schema/selection.ts';
import { pipelineDirectory, TABLE } from './pipeline-directory.ts';

const FILE = 'tables-config.json';

async function load(document: unknown) {
  await using pipeline = await pipelineDirectory({ [FILE]: JSON.stringify(document) });
  return await pipeline.load();
}

/** The lines of the refusal, without the count and the bullets. */
async function problems(document: unknown): Promise<string[]> {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  await using pipeline = await pipelineDirectory({ [FILE]: text });
  const { message } = await pipeline.refusal();
  return message
    .split('\n')
    .slice(1)
    .map((line) => line.replace(/^ {2}- /, ''));
}

describe('a table', () => {
  test('needs a name, a replication key and a merge key; the rest has defaults', async () => {
    const { tables } = await load([TABLE]);
    expect(tables).toEqual([
      {
        name: 'orders',
        source: { schema: 'public', table: 'orders' },
        destinationTable: 'orders',
        destinationSchema: undefined,
        replicationKey: 'updated_at',
        mergeKey: ['id'],
        inheritedKeys: [],
        selection: EVERYTHING,
        mode: 'incremental-deduped',
        initialLoad: 'auto',
        chunk: undefined,
        loadJobs: 1,
        onSchemaChange: 'reset',
        lookbackSeconds: 10,
        nullKeys: 'warn',
        deletes: 'ignore',
        deletesEverySeconds: 86_400,
        deleteLimit: 0.5,
        droppedColumns: 'drop',
        metadataColumns: [],
        onConflict: 'source_wins',
        merge: [],
        conflictLog: false,
        conflictRetentionSeconds: 7_776_000,
        skipUnchanged: false,
        types: 'text',
        indexes: 'ignore',
        constraints: 'ignore',
        maxStalenessSeconds: undefined,
        warnStalenessSeconds: undefined,
        isEnabled: true,
        pattern: undefined,
        conflict: undefined,
      },
    ]);
  });

  test('takes every supported option', async () => {
    const { tables } = await load([
      {
        ...TABLE,
        schema: 'crm',
        dest_name: 'sales',
        dest_schema: 'lake',
        unique_cols: ['order', 'line'],
        mode: 'incremental-deduped',
        initial_load: 'copy',
        chunk: '512MB',
        load_jobs: 4,
        on_schema_change: 'fail',
        lookback: '1h',
        null_keys: 'include',
        deletes: 'soft',
        deletes_every: '0s',
        delete_limit: 0.25,
        dropped_columns: 'keep',
        metadata_columns: ['_synced_at', '_source'],
        on_conflict: 'source_wins',
        types: 'native',
        indexes: 'copy',
        constraints: 'copy',
        max_staleness: '7d',
        warn_staleness: '1d',
        enabled: false,
      },
    ]);
    expect(tables).toEqual([
      {
        name: 'crm.orders',
        source: { schema: 'crm', table: 'orders' },
        destinationTable: 'sales',
        destinationSchema: 'lake',
        replicationKey: 'updated_at',
        mergeKey: ['order', 'line'],
        inheritedKeys: [],
        selection: EVERYTHING,
        mode: 'incremental-deduped',
        initialLoad: 'copy',
        chunk: { bytes: 536_870_912 },
        loadJobs: 4,
        onSchemaChange: 'fail',
        lookbackSeconds: 3600,
        nullKeys: 'include',
        deletes: 'soft',
        deletesEverySeconds: 0,
        deleteLimit: 0.25,
        droppedColumns: 'keep',
        metadataColumns: ['_synced_at', '_source'],
        merge: [],
        conflictLog: false,
        conflictRetentionSeconds: 7_776_000,
        onConflict: 'source_wins',
        skipUnchanged: false,
        types: 'native',
        indexes: 'copy',
        constraints: 'copy',
        maxStalenessSeconds: 604_800,
        warnStalenessSeconds: 86_400,
        isEnabled: false,
        pattern: undefined,
        conflict: undefined,
      },
    ]);
  });

  test.each([
    ['1GB', { bytes: 1_073_741_824 }],
    ['64 kB', { bytes: 65_536 }],
    ['2TB', { bytes: 2_199_023_255_552 }],
    ['5000000 rows', { rows: 5_000_000 }],
    [250, { rows: 250 }],
  ])('can be loaded in chunks of %j', async (chunk, size) => {
    const { tables } = await load([{ ...TABLE, initial_load: 'copy', chunk }]);
    expect(tables[0]?.chunk).toEqual(size);
  });

  test.each(['1 gb', '1Gb', '0MB', '1.5GB', '1000', '5 million rows', '', -1, 0, 1.5, true, {}, null])(
    'cannot be loaded in chunks of %j',
    async (chunk) => {
      expect(await problems([{ ...TABLE, initial_load: 'copy', chunk }])).toEqual([
        `tables-config.json, [0].chunk (table orders): ${JSON.stringify(chunk)} is not allowed; allowed: a size such as "512MB" or "1GB" (units kB, MB, GB, TB), or a number of rows such as "5000000 rows"`,
      ]);
    },
  );

  test('that is to be loaded in chunks is loaded by COPY', async () => {
    expect((await load([{ ...TABLE, chunk: '1GB' }])).tables).toMatchObject([{ initialLoad: 'copy' }]);
    const what = 'pg_dump cannot load a table in chunks; remove initial_load, or the chunk';
    expect(await problems([{ ...TABLE, initial_load: 'pg_dump', chunk: '1GB' }])).toEqual([
      `tables-config.json, [0].chunk (table orders): ${what}`,
    ]);
    const tables = [{ ...TABLE, initial_load: 'pg_dump' }];
    expect(await problems({ defaults: { chunk: '1GB' }, tables })).toEqual([
      `tables-config.json, tables[0].chunk (table orders): ${what}`,
    ]);
  });

  test('has several load_jobs for its chunks only, and a sane number of them', async () => {
    expect(await problems([{ ...TABLE, initial_load: 'copy', load_jobs: 2 }])).toEqual([
      'tables-config.json, [0].load_jobs (table orders): load_jobs needs chunks; set chunk, such as "1GB"',
    ]);
    for (const load_jobs of [0, 17, 1.5, '4'])
      expect(await problems([{ ...TABLE, initial_load: 'copy', chunk: '1GB', load_jobs }])).toEqual([
        `tables-config.json, [0].load_jobs (table orders): ${JSON.stringify(load_jobs)} is not allowed; allowed: a whole number from 1 to 16`,
      ]);
  });

  test('are synced one at a time, unless jobs says how many', async () => {
    expect((await load([TABLE])).jobs).toBe(1);
    expect((await load({ tables: [TABLE] })).jobs).toBe(1);
    expect((await load({ jobs: 16, tables: [TABLE] })).jobs).toBe(16);
    for (const jobs of [0, 17, 1.5, '4', null])
      expect(await problems({ jobs, tables: [TABLE] })).toEqual([
        `tables-config.json, jobs: ${JSON.stringify(jobs)} is not allowed; allowed: a whole number from 1 to 16`,
      ]);
  });

  test('may have any name that Postgres can store', async () => {
    const names = ['Orders', 'sélect', 'with "quotes"', 'a.b', ' ', 'x'.repeat(63), '__proto__'];
    const { tables } = await load(names.map((name) => ({ ...TABLE, name })));
    expect(tables.map(({ name }) => name)).toEqual(names);
  });
});

test('tables of one name are told apart by their schemas, and so are their copies', async () => {
  const { tables } = await load([
    TABLE,
    { ...TABLE, schema: 'crm' },
    { ...TABLE, schema: 'crm', name: 'orders_stg', dest_schema: 'lake' },
  ]);
  expect(tables.map(({ name }) => name)).toEqual(['orders', 'crm.orders', 'crm.orders_stg']);
  const taken = (what: string) => [`tables-config.json, [1] (table orders): ${what}`];
  expect(await problems([TABLE, { ...TABLE, schema: 'public' }])).toEqual(
    taken('the name "orders" is already used by [0]'),
  );
  expect(await problems([TABLE, { ...TABLE, schema: 'crm', dest_schema: 'public' }])).toEqual(
    taken('the destination table "orders" is already used by [0]; give one of them another dest_name'),
  );
});

test('a replication key of an entry in mode full-refresh is a warning, and one of the defaults is not', async () => {
  const whole = { ...TABLE, mode: 'full-refresh' };
  expect(
    (await load([TABLE, whole].map((each, index) => ({ ...each, name: `t${index}` })))).warnings,
  ).toEqual([
    'tables-config.json, [1] (table t1): "replication_key" selects no changes, because mode "full-refresh" reads the whole table; to copy only changes, remove "mode"',
  ]);
  const { replication_key: key, ...keyless } = whole;
  expect((await load({ defaults: { replication_key: key }, tables: [keyless] })).warnings).toEqual([]);
});

test('a name with the schema is a warning with what to write', async () => {
  const { warnings } = await load([{ ...TABLE, name: 'public.customers' }]);
  expect(warnings).toEqual([expect.stringMatching(/write "name": "customers"$/)]);
  const copied = await load([{ ...TABLE, dest_name: 'mart.orders' }]);
  expect(copied.warnings).toEqual([
    expect.stringMatching(/"dest_name" is .*; write "dest_schema": "mart", "dest_name": "orders"$/),
  ]);
  expect((await load([{ ...TABLE, name: 'public.x', schema: 'public' }])).warnings).toEqual([]);
});

describe('a pattern', () => {
  test('stands beside the tables; a star that is quoted is none', async () => {
    const { tables, patterns } = await load([
      { ...TABLE, name: 'a' },
      { ...TABLE, name: 'e_*', dest_name: 'raw_*' },
      { ...TABLE, name: String.raw`b\*` },
      { ...TABLE, schema: 'crm', name: '*' },
    ]);
    expect(tables.map(({ name, destinationTable: destinationName }) => [name, destinationName])).toEqual([
      ['a', 'a'],
      ['b*', 'b*'],
    ]);
    expect(patterns).toMatchObject([
      { name: 'e_*', schema: 'public', place: 1, copyNames: { parts: ['raw_', ''] } },
      { name: 'crm.*', schema: 'crm', place: 2, copyNames: undefined },
    ]);
  });

  test('has copies with names of their own', async () => {
    const where = 'tables-config.json, [0].dest_name (table e_*): ';
    expect(await problems([{ ...TABLE, name: 'e_*', dest_name: 'all' }])).toEqual([
      `${where}"all" would be the destination table of every table that "e_*" matches; use a * in it, such as "raw_*"`,
    ]);
    const one = 'can have one * only, and only if "name" has one *';
    expect(await problems([{ ...TABLE, name: 'e_*', dest_name: '*_*' }])).toEqual([`${where}${one}`]);
    expect(await problems([{ ...TABLE, name: '*e*', dest_name: 'x*' }])).toEqual([
      `tables-config.json, [0].dest_name (table *e*): ${one}`,
    ]);
  });

  test('is written once', async () => {
    expect(
      await problems([
        { ...TABLE, name: 'e_*' },
        { ...TABLE, name: 'e_*', dest_name: 'x_*' },
      ]),
    ).toEqual(['tables-config.json, [1] (table e_*): the name "e_*" is already used by [0]']);
  });

  test('may be all there is, and all of it disabled', async () => {
    const { tables, warnings } = await load([{ ...TABLE, name: '*', enabled: false }]);
    expect(tables).toEqual([]);
    expect(warnings.join()).toContain('every table has "enabled": false');
  });
});

describe('mode full-refresh', () => {
  const WHOLE = { name: 'rates', mode: 'full-refresh' };
  const at = (key: string, what: string) => [`tables-config.json, [0].${key} (table rates): ${what}`];

  test('needs no key, and takes what there is', async () => {
    const { tables } = await load([WHOLE, { ...TABLE, mode: 'full-refresh', skip_unchanged: true }]);
    expect(tables).toMatchObject([
      { replicationKey: undefined, mergeKey: [], mode: 'full-refresh', skipUnchanged: false },
      { replicationKey: 'updated_at', mergeKey: ['id'], skipUnchanged: true },
    ]);
  });

  test('may come from the defaults, and so may the keys of the others', async () => {
    const { tables } = await load({ defaults: { mode: 'full-refresh' }, tables: [{ name: 'rates' }] });
    expect(tables).toHaveLength(1);
    const { name: _, ...keys } = TABLE;
    expect((await load({ defaults: keys, tables: [{ name: 'orders' }, WHOLE] })).tables).toHaveLength(2);
  });

  test.each([
    [{ chunk: '1GB', initial_load: 'copy' }, 'chunk', /chunks need a replication key/],
    [{ load_jobs: 2 }, 'load_jobs', /not loaded in chunks/],
    [{ lookback: '10s' }, 'lookback', /read completely at each sync/],
    [{ null_keys: 'include' }, 'null_keys', /read completely at each sync/],
    [{ deletes_every: '0s' }, 'deletes_every', /removes deleted rows at each sync/],
    [{ deletes: 'keep' }, 'deletes', /cannot tell a deleted row from a changed row/],
    [{ deletes: 'soft' }, 'deletes', /set unique_cols, or set deletes to "ignore"/],
  ])('has no use for %j', async (change, key, why) => {
    expect(await problems([{ ...WHOLE, ...change }])).toEqual([
      expect.stringContaining(`tables-config.json, [0].${key} (table rates): `),
    ]);
    expect(await problems([{ ...WHOLE, ...change }])).toEqual([expect.stringMatching(why)]);
  });

  test('leaves what the defaults say of it to the other tables', async () => {
    const defaults = {
      initial_load: 'copy',
      chunk: '1GB',
      load_jobs: 4,
      lookback: '1h',
      deletes_every: '1h',
    };
    const { tables } = await load({
      defaults: { ...defaults, skip_unchanged: false },
      tables: [TABLE, WHOLE],
    });
    expect(tables).toMatchObject([{ loadJobs: 4 }, { chunk: undefined, loadJobs: 1 }]);
  });

  test('alone knows skip_unchanged', async () => {
    expect(await problems([{ ...WHOLE, skip_unchanged: 'yes' }])).toEqual(
      at('skip_unchanged', '"yes" is not allowed; allowed: true or false'),
    );
    expect(await problems([{ ...TABLE, skip_unchanged: true }])).toEqual([
      'tables-config.json, [0].skip_unchanged (table orders): only a table in mode full-refresh is read completely at each sync; other tables read only changes anyway',
    ]);
  });
});

describe('the defaults', () => {
  test('hold for every table that does not say otherwise', async () => {
    const { tables } = await load({
      $schema: './tables-config.schema.json',
      defaults: { replication_key: 'changed', unique_cols: ['id'], lookback: '1m' },
      tables: [{ name: 'a' }, { name: 'b', replication_key: 'seq', lookback: '0s' }],
    });
    expect(tables).toMatchObject([
      { name: 'a', replicationKey: 'changed', mergeKey: ['id'], lookbackSeconds: 60 },
      { name: 'b', replicationKey: 'seq', mergeKey: ['id'], lookbackSeconds: 0 },
    ]);
  });

  test('cannot name a table', async () => {
    const said = await problems({ defaults: { name: 'x' }, tables: [TABLE] });
    expect(said.slice(0, 2)).toEqual([
      'tables-config.json, defaults.name: unknown key; allowed:',
      expect.stringMatching(/^ {6}replication_key, /),
    ]);
  });

  test('are judged once, not once per table', async () => {
    const document = { defaults: { lookback: 'soon', colums: 1 }, tables: [TABLE, { ...TABLE, name: 'b' }] };
    expect(await problems(document)).toEqual([
      expect.stringMatching(
        /^tables-config.json, defaults.lookback: "soon" is not allowed; allowed: a duration/,
      ),
      'tables-config.json, defaults.colums: unknown key; did you mean columns?',
    ]);
  });
});

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

test('a merged column has its name at the destination', async () => {
  const { tables } = await load([
    { ...TABLE, merge: { note: 'destination.remark' }, rename: { note: 'remark' } },
  ]);
  expect(tables[0]).toMatchObject({
    merge: [{ column: 'note', name: 'remark', expression: 'destination.remark' }],
    droppedColumns: 'keep',
  });
});

describe('how rows are written', () => {
  test.each([
    [
      { mode: 'incremental-append', deletes: 'hard' },
      'deletes',
      'mode "incremental-append" keeps every version of a row',
    ],
    [
      { mode: 'incremental-append', on_conflict: 'last_update_wins' },
      'on_conflict',
      'mode "incremental-append" keeps all versions of a row',
    ],
    [
      { on_conflict: 'last_update_wins', deletes: 'soft' },
      'deletes',
      'with on_conflict "last_update_wins" the destination may have rows of its own',
    ],
    [
      { merge: { note: 'source.note' }, mode: 'incremental-append' },
      'merge',
      'mode "incremental-append" keeps every version of a row, so there is nothing to merge',
    ],
    [
      { merge: { note: 'source.note' }, mode: 'full-refresh' },
      'merge',
      'mode "full-refresh" makes the destination table equal to the source, so there is nothing to merge',
    ],
    [
      { merge: { note: 'source.note' }, deletes: 'hard' },
      'deletes',
      'with merge the destination has values and rows of its own, which deletes "hard" would remove',
    ],
    [
      { merge: { note: 'source.note' }, null_keys: 'include' },
      'null_keys',
      'a row without a replication key has no version, so merge could merge it twice',
    ],
    [
      { conflict_log: true, mode: 'incremental-append' },
      'conflict_log',
      'mode "incremental-append" replaces no row, so there are no conflicts',
    ],
    [
      { conflict_log: true, mode: 'full-refresh' },
      'conflict_log',
      'a table in mode "full-refresh" has no replication key that tells versions apart',
    ],
    [
      { conflict_retention: '1h' },
      'conflict_retention',
      'has no effect without conflict_log; set conflict_log to true',
    ],
    [{ merge: { id: '1' } }, 'merge.id', 'unique_cols identify the row, so merge cannot change "id"'],
    [
      { merge: { updated_at: 'now()' } },
      'merge.updated_at',
      'the replication_key orders the versions of a row, so merge cannot change "updated_at"',
    ],
    [
      { merge: { note: 'source.note' }, exclude_columns: ['note'] },
      'merge.note',
      'exclude_columns leaves this column out',
    ],
    [
      { merge: { note: '(SELECT max(note) FROM notes)' } },
      'merge.note',
      'a subquery is not allowed, because its result can change between two syncs',
    ],
    [
      { merge: { note: 'source.note' }, dropped_columns: 'drop' },
      'dropped_columns',
      'the table holds rows that the source cannot provide again',
    ],
    [
      {
        unique_cols: Array.from({ length: 31 }, (_, index) => `c${index}`),
        mode: 'incremental-append',
        metadata_columns: ['_source'],
      },
      'unique_cols',
      'the unique index also needs _source and updated_at; these are 33 columns, and 32 is the maximum',
    ],
  ])('what contradicts itself is refused: %j', async (change, path, what) => {
    expect(await problems([{ ...TABLE, ...change }])).toEqual([
      expect.stringContaining(`tables-config.json, [0].${path} (table orders): ${what}`),
    ]);
  });

  test.each([
    [{ metadata_columns: ['_sync'] }, '"_synced_at" or "_source"'],
    [{ metadata_columns: '_source' }, 'must be an array such as ["_source"]'],
    [{ metadata_columns: ['_source', '_source'] }, 'an array of different names'],
    [{ merge: { note: '' } }, 'the text is empty'],
    [{ merge: { note: 'a), (b' } }, '")" without "("'],
    [{ merge: ['note'] }, 'an object of SQL expressions over source and destination by column'],
    [{ on_conflict: 'newest' }, '"source_wins" or "last_update_wins"'],
  ])('%j', async (change, allowed) => {
    expect(await problems([{ ...TABLE, ...change }])).toEqual([expect.stringContaining(allowed)]);
  });
});

describe('every table has a place of its own', () => {
  test.each([
    ['one name twice', [TABLE, TABLE], '[1] (table orders): the name "orders" is already used by [0]'],
    [
      'one destination twice',
      [TABLE, { ...TABLE, name: 'old', dest_name: 'orders' }],
      '[1] (table old): the destination table "orders" is already used by [0]',
    ],
    [
      'the state',
      [{ ...TABLE, dest_name: '_increp_state' }],
      '"_increp_state" is the name of a table of increp',
    ],
    ['the history', [{ ...TABLE, name: '_increp_runs' }], '"_increp_runs" is the name of a table of increp'],
    [
      'a staging table',
      [{ ...TABLE, name: 'orders_stg' }, TABLE],
      '[0] (table orders_stg): "orders_stg" is the staging table of [1]',
    ],
  ])('%s', async (_, document, what) => {
    expect(await problems(document)).toEqual([expect.stringContaining(what)]);
  });

  test('also where something else is wrong with it', async () => {
    expect(await problems([TABLE, { ...TABLE, enabled: 1 }])).toHaveLength(2);
  });

  test('which may be named like a table of our own at the source', async () => {
    const { tables } = await load([{ ...TABLE, name: '_increp_runs', dest_name: 'runs_of_the_source' }]);
    expect(tables).toHaveLength(1);
  });
});

describe('a document is refused', () => {
  const allowed =
    'an array of tables, or an object with "tables" and optional "defaults", "destinations", "jobs" and "schedule"';

  test.each([
    [[], 'tables-config.json: there are no tables; add an entry for each'],
    [{ tables: [] }, 'tables-config.json, tables: there are no tables; add an entry for each'],
    [5, `tables-config.json: 5 is not allowed; allowed: ${allowed}`],
    [{}, 'tables-config.json, tables: missing; allowed: an array of tables'],
    [{ tables: {} }, 'tables-config.json, tables: {} is not allowed; allowed: an array of tables'],
    [{ tables: [TABLE], default: {} }, 'tables-config.json, default: unknown key; did you mean defaults?'],
    [
      { tables: [TABLE], defaults: [] },
      'tables-config.json, defaults: [] is not allowed; allowed: an object of table options',
    ],
  ])('%j', async (document, problem) => {
    expect(await problems(document)).toEqual([problem]);
  });

  test('together with what is wrong in its tables', async () => {
    expect(await problems({ tables: [{ ...TABLE, enabled: 1 }], default: {} })).toHaveLength(2);
  });

  test('when it is not JSON, with the line', async () => {
    expect(await problems('[\n  { "name": "orders", } // mine\n]')).toEqual([
      'tables-config.json, line 2, column 21: JSON allows no comma after the last item',
      '      2 |   { "name": "orders", } // mine',
      '                              ^',
    ]);
  });

  test('when it is not there', async () => {
    await using pipeline = await pipelineDirectory();
    await rm(join(pipeline.directory, FILE));
    const { message } = await pipeline.refusal();
    expect(message).toContain(
      `tables-config.json: not found in ${pipeline.directory}; to create it, run "increp init"`,
    );
  });
});

test('a byte order mark is tolerated', async () => {
  await using pipeline = await pipelineDirectory({ [FILE]: `\uFEFF${JSON.stringify([TABLE])}` });
  expect((await pipeline.load()).tables).toHaveLength(1);
});

test('when every table is disabled, a warning says so', async () => {
  const { tables, warnings } = await load([{ ...TABLE, enabled: false }]);
  expect(tables).toMatchObject([{ isEnabled: false }]);
  expect(warnings).toEqual([expect.stringContaining('every table has "enabled": false')]);
});
