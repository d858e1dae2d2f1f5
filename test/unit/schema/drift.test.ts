import { expect, test } from 'vitest';
import type { Column } from '../../../src/schema/columns.ts';
import { destinationDrift as driftWith, sourceDrift as driftFrom } from '../../../src/schema/drift.ts';
import { differenceText } from '../../../src/report/shape-texts.ts';
import { NO_NATIVE_TYPES } from '../../../src/schema/native-types.ts';
import { column } from './columns.ts';

const destinationDrift = (source: readonly Column[], destination: readonly Column[]) =>
  driftWith(source, destination, NO_NATIVE_TYPES).map(differenceText);
const sourceDrift = (...shapes: Parameters<typeof driftFrom>) => driftFrom(...shapes).map(differenceText);

const shape = (columns: readonly Column[], oid = '1') => ({ oid, columns: [...columns] });
const id = column({ name: 'id', type: 'bigint', position: 1 });
const note = column({ name: 'note', type: 'text', position: 2 });
const was = shape([id, note]);
const changed = (change: Partial<Column>) => sourceDrift(was, shape([id, { ...note, ...change }]));

test('the same columns, in whatever order, are no drift', () => {
  expect(sourceDrift(was, shape([note, id]))).toEqual([]);
});

test('added, dropped and renamed columns are named', () => {
  const extra = column({ name: 'extra', type: 'integer', position: 3 });
  expect(sourceDrift(was, shape([id, note, extra]))).toEqual([
    'column "extra" (integer) was added at the source',
  ]);
  expect(sourceDrift(was, shape([id]))).toEqual(['column "note" was dropped at the source']);
  expect(changed({ name: 'remark' })).toEqual([
    'column "note" was dropped at the source',
    'column "remark" (text) was added at the source',
  ]);
});

test('each property of a column that changes is told in a sentence', () => {
  const prefix = 'column "note" changed';
  expect(changed({ type: 'character varying(20)' })).toEqual([
    `${prefix} type from text to character varying(20) at the source`,
  ]);
  expect(changed({ isNotNull: true })).toEqual([
    `${prefix} nullability from nullable to NOT NULL at the source`,
  ]);
  expect(changed({ collation: 'pg_catalog."C"' })).toEqual([
    `${prefix} collation from the default to pg_catalog."C" at the source`,
  ]);
  expect(changed({ generated: 's' })).toEqual([
    `${prefix} generation from an ordinary column to a stored generated column at the source`,
  ]);
  expect(changed({ identity: 'a' })).toEqual([
    `${prefix} identity from no identity to GENERATED ALWAYS identity at the source`,
  ]);
});

test('a column or a table that was dropped and made again has lost its old rows', () => {
  expect(changed({ position: 7 })).toEqual(['column "note" was dropped and added again at the source']);
  for (const position of [note.position, 7])
    expect(sourceDrift(was, shape([id, { ...note, position }], '2'))).toEqual([
      'the table was dropped and created again at the source, for example by a restore',
    ]);
});

test('another table with other columns is called another table first', () => {
  expect(sourceDrift(was, shape([id, { ...note, type: 'integer', position: 7 }], '2'))).toEqual([
    'the table was dropped and created again at the source, for example by a restore',
    'column "note" changed type from text to integer at the source',
  ]);
});

const typed = (typeDetail: string[]) => shape([{ ...note, type: 'app.t', typeDetail }]);

test('an enum may gain labels; one that is gone has changed old rows', () => {
  expect(sourceDrift(typed(['=a']), typed(['=a', '=b']))).toEqual([]);
  expect(sourceDrift(typed(['=a', '=b']), typed(['=a', '=c']))).toEqual([
    `type app.t of column "note" no longer has the label 'b'`,
  ]);
});

test('a composite type may not change at all', () => {
  expect(sourceDrift(typed(['.x integer']), typed(['.x integer', '.y text']))).toEqual([
    'type app.t of column "note" has other fields than before',
  ]);
  expect(sourceDrift(typed(['.x integer']), typed(['.x bigint']))).toEqual([
    'type app.t of column "note" no longer has the field x integer',
  ]);
});

test('the copy must be able to hold what the source has; what people added is theirs', () => {
  const mine = column({ name: 'mine', type: 'text', position: 9 });
  expect(destinationDrift([id, note], [mine, note, id])).toEqual([]);
  expect(destinationDrift([id, note], [id])).toEqual(['column "note" is missing at the destination']);
  expect(destinationDrift([id], [{ ...id, type: 'integer' }])).toEqual([
    'column "id" is integer at the destination and must be bigint',
  ]);
  expect(destinationDrift([id], [{ ...id, isNotNull: true }])).toEqual([
    'column "id" is NOT NULL at the destination but not at the source',
  ]);
});

test('a type of the user is compared with the text that carries it', () => {
  const mood = column({ name: 'mood', type: 'app.mood', isBuiltIn: false });
  expect(destinationDrift([mood], [column({ name: 'mood', type: 'text' })])).toEqual([]);
});

test('a type that is kept is compared with itself, so that a change of "types" is a difference', () => {
  const mood = column({ name: 'mood', type: 'app.mood', isBuiltIn: false });
  const natives = { carried: new Map([['app.mood', 'shop.mood']]) };
  const kept = column({ name: 'mood', type: 'shop.mood', isBuiltIn: false });
  expect(driftWith([mood], [kept], natives)).toEqual([]);
  expect(driftWith([mood], [column({ name: 'mood', type: 'text' })], natives).map(differenceText)).toEqual([
    'column "mood" is text at the destination and must be shop.mood',
  ]);
  expect(destinationDrift([mood], [kept])).toEqual([
    'column "mood" is shop.mood at the destination and must be text',
  ]);
});
