import { describe, expect, test } from 'vitest';
import { TABLE } from './pipeline-directory.ts';
import { load, problems } from './load-tables.ts';

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
