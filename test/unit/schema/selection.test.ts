import { differenceText } from '../../../src/report/shape-texts.ts';
import { describe, expect, test } from 'vitest';
import { atSource, selectFrom } from '../../../src/schema/relations.ts';
import {
  EVERYTHING,
  recordedSelection,
  sameNameOf,
  unknownColumnOf,
  type Selection,
} from '../../../src/schema/selection.ts';
import { selectionDrift } from '../../../src/schema/selection-drift.ts';
import { shapeOf } from '../../../src/schema/shape.ts';
import { relation } from '../sync/table-facts.ts';
import { column } from './columns.ts';

const selection = (change: Partial<Selection>): Selection => ({ ...EVERYTHING, ...change });
const names = ({ columns }: { readonly columns: readonly { readonly name: string }[] }) =>
  columns.map(({ name }) => name);

describe('the relation that is copied', () => {
  test('has the columns in the order of the source, and made ones behind them', () => {
    const described = [column({ name: 'extra', type: 'integer' }), column({ name: 'note', type: 'text' })];
    const chosen = selectFrom(
      relation(),
      selection({
        columns: ['updated_at', 'extra', 'note', 'id'],
        transform: [
          { column: 'extra', expression: '1' },
          { column: 'note', expression: 'md5(note)' },
        ],
      }),
      described,
    );
    expect(names(chosen)).toEqual(['id', 'note', 'updated_at', 'extra']);
    expect(chosen.columns.map(({ position }) => position)).toEqual([1, 2, 3, 0]);
  });

  test('keeps unique what is copied as it is, and needs to read no more than that', () => {
    const whole = relation({ indexedColumns: ['id', 'note'], unreadableColumns: ['note'] });
    const without = selectFrom(whole, selection({ excludeColumns: ['note'] }), []);
    expect(without).toMatchObject({
      uniqueKeys: [{ columns: ['id'] }],
      indexedColumns: ['id'],
      unreadableColumns: [],
    });
    const doubled = selection({ transform: [{ column: 'id', expression: 'id * 2' }] });
    const transformed = selectFrom(whole, doubled, [column({ name: 'id', type: 'bigint' })]);
    expect(transformed).toMatchObject({ uniqueKeys: [], indexedColumns: ['note'] });
    expect(transformed.columns[0]?.isNotNull).toBe(false);
  });
});

test('the relation has the names of the destination, and the same with the names of the source can be had', () => {
  const swapped = selection({
    rename: [
      { column: 'id', to: 'note' },
      { column: 'note', to: 'id' },
    ],
  });
  const whole = relation({ indexedColumns: ['id'], unreadableColumns: ['note'] });
  const copied = selectFrom(whole, swapped, []);
  expect(names(copied)).toEqual(['note', 'id', 'updated_at']);
  expect(copied).toMatchObject({
    uniqueKeys: [{ columns: ['note'] }],
    indexedColumns: ['note'],
    unreadableColumns: ['note'],
  });
  expect(atSource(copied, swapped)).toEqual(whole);
  expect(sameNameOf(selection({ rename: [{ column: 'id', to: 'note' }] }), whole.columns)).toEqual({
    name: 'note',
    columns: ['id', 'note'],
  });
});

test.each([
  [{ columns: ['id', 'nte'] }, { option: 'columns', name: 'nte' }],
  [{ columns: ['id', 'x'], transform: [{ column: 'x', expression: '1' }] }, undefined],
  [{ excludeColumns: ['nte'] }, { option: 'exclude_columns', name: 'nte' }],
  [{ rename: [{ column: 'nte', to: 'x' }] }, { option: 'rename', name: 'nte' }],
])('%j names %j, which is not there', (change, unknown) => {
  expect(unknownColumnOf(selection(change), relation().columns)).toEqual(unknown);
});

describe('a selection that was changed', () => {
  const whole = relation();
  const drift = (was: Selection | null, now: Selection) => {
    const shape = (of: Selection) => shapeOf(selectFrom(whole, of, []));
    const { differences, columns } = selectionDrift(was, now, shape(was ?? EVERYTHING), shape(now));
    return { sentences: differences.map(differenceText), columns: [...columns] };
  };

  test('not at all', () => {
    expect(drift(null, EVERYTHING)).toEqual({ sentences: [], columns: [] });
    expect(recordedSelection(EVERYTHING)).toBeNull();
  });

  test('says which columns come and go, by which option', () => {
    expect(drift(null, selection({ excludeColumns: ['note'] }))).toEqual({
      sentences: ['column "note" is no longer copied (exclude_columns)'],
      columns: ['note'],
    });
    expect(drift(selection({ columns: ['id', 'updated_at'] }), EVERYTHING)).toEqual({
      sentences: ['column "note" is copied now (columns)'],
      columns: ['note'],
    });
    // The same columns in other words.
    expect(
      drift(selection({ columns: ['id', 'updated_at'] }), selection({ excludeColumns: ['note'] })).sentences,
    ).toEqual([]);
  });

  test.each([
    [{}, { where: 'a' }, 'where is new: a'],
    [{ where: 'a' }, { where: 'b\n  AND c' }, 'where changed to: b AND c'],
    [{ where: 'a' }, {}, 'where was removed: a'],
    [
      {},
      { transform: [{ column: 'note', expression: 'md5(note)' }] },
      'transform of "note" is new: md5(note)',
    ],
    [{}, { query: 'SELECT 1' }, 'the entry now selects a query, and selected a table before'],
    [{ query: 'SELECT 2' }, { query: 'SELECT 1' }, 'query changed'],
  ])('%j to %j', (was, now, sentence) => {
    expect(drift(selection(was), selection(now)).sentences).toEqual([sentence]);
  });
});
