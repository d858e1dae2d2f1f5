import { expect, test } from 'vitest';
import { carriedType as carriedWith, type Column } from '../../../src/schema/columns.ts';
import { copyFormatFor as formatWith } from '../../../src/schema/copy-format.ts';
import { NO_NATIVE_TYPES } from '../../../src/schema/native-types.ts';
import { column } from './columns.ts';

const carriedType = (given: Column) => carriedWith(given, NO_NATIVE_TYPES);
const copyFormatFor = (columns: readonly Column[], versions: typeof SAME) =>
  formatWith(columns, NO_NATIVE_TYPES, versions);

test('a built-in type arrives as it is, with its modifiers, and a domain as its base', () => {
  expect(carriedType(column({ type: 'numeric(12,2)' }))).toBe('numeric(12,2)');
  expect(carriedType(column({ type: 'app.price', base: 'numeric(12,2)' }))).toBe('numeric(12,2)');
});

test('a type of the user arrives as text, and an array of it as an array of text', () => {
  expect(carriedType(column({ type: 'app.mood', isBuiltIn: false }))).toBe('text');
  const moods = { type: 'app.mood[]', isBuiltIn: false };
  expect(carriedType(column({ ...moods, element: { type: 'app.mood', isBuiltIn: false } }))).toBe('text[]');
  const odd = { type: 'app.odd', isBuiltIn: false, delimiter: ';' };
  expect(carriedType(column({ type: 'app.odd[]', isBuiltIn: false, element: odd }))).toBe('text');
});

test('an array of built-in values stays one, also through a domain of its elements', () => {
  expect(carriedType(column({ type: 'int[]', element: { type: 'integer' } }))).toBe('integer[]');
  const nested = { type: 'integer[]', isArray: true };
  expect(carriedType(column({ type: 'app.row[]', isBuiltIn: false, element: nested }))).toBe('text[]');
});

test('names of objects of one server arrive as text', () => {
  for (const type of ['regclass', 'regprocedure', 'aclitem', 'pg_node_tree']) {
    expect(carriedType(column({ type })), type).toBe('text');
  }
  expect(carriedType(column({ type: 'regclass[]', element: { type: 'regclass' } }))).toBe('text[]');
});

const SAME = { source: 150000, destination: 150000 };

test('rows travel in binary where both servers read every type alike, with any modifier', () => {
  const types = ['bigint', 'numeric(12,2)', 'timestamp(3) with time zone', 'character varying(20)', 'jsonb'];
  const columns = types.map((type) => column({ type }));
  expect(copyFormatFor(columns, SAME)).toBe('binary');
  const array = column({ type: 'numeric(12,2)[]', element: { type: 'numeric(12,2)' } });
  expect(copyFormatFor([array], SAME)).toBe('binary');
});

test('one column of another kind makes all of them travel as text', () => {
  const bigint = column({ type: 'bigint' });
  for (const other of [
    column({ type: 'xml' }),
    column({ type: 'money' }),
    column({ type: 'regclass' }),
    column({ type: 'app.mood', isBuiltIn: false }),
    column({ type: 'app.mood[]', isBuiltIn: false, element: { type: 'app.mood', isBuiltIn: false } }),
  ]) {
    expect(copyFormatFor([bigint, other], SAME), other.type).toBe('text');
  }
});

test('an interval travels as text to a server that does not know infinite ones', () => {
  const columns = [column({ type: 'interval day to second(3)' })];
  expect(copyFormatFor(columns, { source: 170000, destination: 160000 })).toBe('text');
  expect(copyFormatFor(columns, { source: 160000, destination: 170000 })).toBe('binary');
});

test('a type that is kept is carried as it is called at the destination, and travels as text', () => {
  const natives = { carried: new Map([['app.price', 'shop.price']]) };
  const price = column({ type: 'app.price', base: 'numeric(12,2)' });
  expect(carriedWith(price, natives)).toBe('shop.price');
  expect(formatWith([price], natives, SAME)).toBe('text');
  expect(formatWith([price], NO_NATIVE_TYPES, SAME)).toBe('binary');
});
