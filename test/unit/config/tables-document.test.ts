import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pipelineDirectory, TABLE } from './pipeline-directory.ts';
import { FILE, load, problems } from './load-tables.ts';

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
