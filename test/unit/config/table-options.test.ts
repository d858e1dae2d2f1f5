import { describe, expect, test } from 'vitest';
import { EVERYTHING } from '../../../src/schema/selection.ts';
import { TABLE } from './pipeline-directory.ts';
import { load, problems } from './load-tables.ts';

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
});
