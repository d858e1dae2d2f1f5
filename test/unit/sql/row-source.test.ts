import { expect, test } from 'vitest';
import {
  bareItem,
  describeQuery,
  describeTable,
  fromItem,
  partitionRows,
  queriedRows,
  selectedRows,
} from '../../../src/sql/row-source.ts';
import { highWaterMark } from '../../../src/sql/fence.ts';
import { selectWindow } from '../../../src/sql/window.ts';
import { column } from '../schema/columns.ts';

const table = { schema: 'public', table: 'odd "name' };
const plain = { name: 'id', column: 'id', expression: undefined };
const masked = { name: 'e-mail', column: 'e-mail', expression: 'md5(email) -- masked' };

const selected = selectedRows({
  table,
  columns: [plain, masked],
  where: 'id > 0 -- all',
  hasSystemColumns: true,
});

test('a whole table is named and nothing more', () => {
  expect(fromItem(table)).toBe('"public"."odd ""name"');
  expect(fromItem(table, 't')).toBe('"public"."odd ""name" t');
});

test('a selection is a SELECT whose comments end where they should', () => {
  expect(fromItem(selected)).toBe(
    '(SELECT "id", (md5(email) -- masked\n) AS "e-mail", ctid, xmin FROM "public"."odd ""name" WHERE (id > 0 -- all\n)\n) AS "odd ""name"',
  );
});

test('questions about the key leave out what expressions make', () => {
  expect(bareItem(selected)).toBe(
    '(SELECT "id", ctid, xmin FROM "public"."odd ""name" WHERE (id > 0 -- all\n)\n) AS "odd ""name"',
  );
  expect(bareItem(table)).toBe('"public"."odd ""name"');
  expect(
    highWaterMark(
      { rows: selected, table, keyColumn: 'id', replicationKey: 'id', keyType: 'integer' },
      'UTC',
    ),
  ).toContain(`FROM ${bareItem(selected)}`);
});

test('a window is over the columns that come out', () => {
  const window = {
    replicationKey: 'id',
    keyType: 'integer',
    from: '7',
    lookbackSeconds: 0,
    nullKeys: 'warn',
  } as const;
  const rows = queriedRows('SELECT 1 AS id -- one', 'ones');
  expect(selectWindow(rows, [column({ name: 'id', type: 'bigint' })], window)).toBe(
    `SELECT "id" FROM (\nSELECT 1 AS id -- one\n) AS "ones" WHERE "id" OPERATOR(pg_catalog.>=) '7'::bigint`,
  );
});

test('SQL of the operator may name the partitioned table where a partition is read', () => {
  const selection = {
    table: { schema: 'public', table: 'parts' },
    columns: [plain],
    hasSystemColumns: false,
  };
  const groups = { oid: '1', locks: 9, selection: { ...selection, where: 'parts.id > 0' }, isUsual: true };
  const ofOne = (name: string) => `SELECT "id" FROM "s"."${name}" AS "parts" WHERE (parts.id > 0\n)`;
  const names = ['one', 'two'].map((name) => ({ schema: 's', table: name }));
  expect(partitionRows(groups, names).select).toBe(`${ofOne('one')} UNION ALL ${ofOne('two')}`);
  expect(describeTable({ ...selection, where: null }, { inGroups: true }).sql).toBe(
    'SELECT * FROM (SELECT "id" FROM ONLY "public"."parts" AS "parts"\n) AS described LIMIT 0',
  );
});

test('what stands where in a statement is known, in characters', () => {
  const { sql, quotes } = describeTable({
    table,
    columns: [plain, { name: 'x', column: 'x', expression: "'😀' || y" }],
    where: 'z',
    hasSystemColumns: true,
  });
  const characters = Array.from(sql);
  expect(sql).not.toContain('ctid');
  expect(quotes.map(({ option }) => option)).toEqual(['transform.x', 'transform.x', 'where']);
  for (const { text, from, to } of quotes) expect(characters.slice(from - 1, to - 1).join('')).toBe(text);
  expect(describeQuery('SELECT 1').quotes).toEqual([{ option: 'query', text: 'SELECT 1', from: 17, to: 25 }]);
});
