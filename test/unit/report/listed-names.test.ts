import { expect, test } from 'vitest';
import { collect } from '../../../src/commands/terminal/options.ts';
import { formatDeferred, listedNames, listedTables, listedWithin } from '../../../src/format.ts';
import { groupedLines } from '../../../src/report/failure-groups.ts';

test('a name that could be read as several words is in quotes in a list', () => {
  expect(listedNames(['orders', 'Odd Name', 'a,b', 'quo"te', 'last'], 4)).toBe(
    'orders, "Odd Name", "a,b", "quo""te" and 1 more',
  );
});

test('a list takes the names that there is room for', () => {
  expect(listedWithin(['orders', 'lines', 'a b'], 80)).toBe('orders, lines, "a b"');
  expect(listedWithin(['orders', 'lines', 'a b'], 16)).toBe('orders, lines and 1 more');
  expect(listedWithin(['orders', 'lines'], 3)).toBe('orders and 1 more');
});

test('a comma in a name is written with a backslash', () => {
  expect(collect(String.raw`orders,a\,b,c`, [])).toEqual(['orders', 'a,b', 'c']);
});

test('lists of tables in a summary and in the status have such names in quotes', () => {
  const deferred = (name: string, destination?: string) => ({
    ...{ name, isDeferred: true as const },
    ...(destination !== undefined && { destination }),
  });
  expect(formatDeferred({ tables: [deferred('a,b'), deferred('c')] })).toBe(
    '2 tables deferred to the next run: "a,b", c',
  );
  expect(formatDeferred({ tables: [deferred('Odd Name', 'west')] })).toBe(
    '1 table deferred to the next run: west: "Odd Name"',
  );
  const failure = { code: 'DISK_FULL', message: 'no space', hint: '', sqlstate: null };
  const [head] = groupedLines('FAILED', [
    { ...failure, name: 'Odd Name' },
    { ...failure, name: 'c' },
  ]);
  expect(head).toBe('FAILED 2 tables: "Odd Name", c (DISK_FULL)');
});

test('tables of one text have their destination once', () => {
  const at = (destination: string, ...names: string[]) => names.map((name) => ({ name, destination }));
  expect(listedTables([{ name: 'a' }, { name: 'b' }], 3)).toBe('2 tables (a, b)');
  expect(listedTables(at('reports', 'a', 'b', 'c', 'd'), 3)).toBe('4 tables at reports (a, b, c and 1 more)');
  expect(listedTables(at('reports', 'a'), 3)).toBe('a at reports');
  expect(listedTables([...at('reports', 'a', 'b'), ...at('warehouse', 'a', 'b')], 3)).toBe(
    '2 tables at 2 destinations (a, b)',
  );
});
