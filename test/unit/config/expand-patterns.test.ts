import { expect, test } from 'vitest';
import { expandPatterns } from '../../../src/config/tables/expand-patterns.ts';
import { CONNECTIONS, pipelineDirectory, TABLE } from './pipeline-directory.ts';

async function settingsOf(tables: readonly object[]) {
  const entries = tables.map((table) => ({ ...TABLE, ...table }));
  await using pipeline = await pipelineDirectory({ 'tables-config.json': JSON.stringify(entries) });
  return await pipeline.load(CONNECTIONS);
}

async function expanded(
  tables: readonly object[],
  found: readonly (string | readonly [schema: string, table: string])[],
) {
  const settings = await settingsOf(tables);
  return expandPatterns(
    settings,
    found.map((each) =>
      typeof each === 'string' ? { schema: 'public', table: each } : { schema: each[0], table: each[1] },
    ),
  );
}

const names = ({ tables }: Awaited<ReturnType<typeof expanded>>) => tables.map(({ name }) => name);

test('tables stand where their pattern does, by name; an own entry wins, and of two patterns the first', async () => {
  const result = await expanded(
    [{ name: 'zoo' }, { name: 'e_*', deletes: 'hard' }, { name: 'e_2' }, { name: '*', enabled: false }],
    ['e_3', 'e_2', 'e_1', 'zoo', 'other'],
  );
  expect(names(result)).toEqual(['zoo', 'e_1', 'e_3', 'e_2', 'other']);
  expect(result.tables.map(({ deletes, isEnabled, pattern }) => [deletes, isEnabled, pattern])).toEqual([
    ['ignore', true, undefined],
    ['hard', true, 'e_*'],
    ['hard', true, 'e_*'],
    ['ignore', true, undefined],
    ['ignore', false, '*'],
  ]);
  expect(result).toMatchObject({ unmatched: [], leftOut: [] });
});

test('a pattern is one of its schema', async () => {
  const result = await expanded(
    [{ name: 'e_*', schema: 'crm', dest_name: 'crm_*' }, { name: 'e_*' }, { name: 'e_1' }, { name: 'x*' }],
    ['e_1', 'e_2', ['crm', 'e_1']],
  );
  expect(names(result)).toEqual(['crm.e_1', 'e_2', 'e_1']);
  expect(result.tables[0]).toMatchObject({
    source: { schema: 'crm', table: 'e_1' },
    destinationTable: 'crm_1',
    pattern: 'crm.e_*',
  });
  expect(result.unmatched).toEqual(['x*']);
});

test('what a pattern found gives way where its copy has no place of its own', async () => {
  const result = await expanded(
    [{ name: 'a' }, { name: 'raw_*', dest_name: '*' }, { name: 'e_stg' }, { name: 'e*' }],
    ['raw_a', 'raw_b', 'raw__increp_state', 'b', 'e', 'ee', 'ee_stg', 'raw_', 'e_stg'],
  );
  const conflicts = Object.fromEntries(result.tables.map(({ name, conflict }) => [name, conflict]));
  expect(conflicts).toEqual({
    a: undefined,
    e_stg: undefined,
    raw_: expect.stringContaining('would be ""'),
    raw__increp_state: expect.stringContaining('the name of a table of increp'),
    raw_a: expect.stringContaining('"a" is already used by the table "a"'),
    raw_b: undefined,
    e: expect.stringContaining(
      'its staging table would have the name of the destination table of the table "e_stg"',
    ),
    ee: undefined,
    ee_stg: expect.stringContaining('the staging table of public.ee, which "e*" matches'),
  });
});

test('a table that would be called like another one is left out', async () => {
  const result = await expanded(
    [{ name: 'a.*' }, { name: 'b*', schema: 'a' }],
    ['a.b', ['a', 'b'], ['a', 'bc']],
  );
  expect(names(result)).toEqual(['a.b', 'a.bc']);
  expect(result.leftOut).toEqual([
    'a.b matches "a.b*" but is left out: another table here has the name "a.b"',
  ]);
});
