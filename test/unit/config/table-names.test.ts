import { describe, expect, test } from 'vitest';
import { TABLE } from './pipeline-directory.ts';
import { load, problems } from './load-tables.ts';

describe('a table', () => {
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
