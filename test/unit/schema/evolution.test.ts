import { expect, test } from 'vitest';
import type { Column } from '../../../src/schema/columns.ts';
import { altersTable, evolutionOf } from '../../../src/schema/evolution.ts';
import { NO_NATIVE_TYPES } from '../../../src/schema/native-types.ts';
import { obstacleText } from '../../../src/report/shape-texts.ts';
import { column } from './columns.ts';

const id = column({ name: 'id', type: 'integer', position: 1, isNotNull: true });
const at = column({ name: 'at', type: 'timestamp(3) with time zone', position: 2, isNotNull: true });
const note = column({ name: 'note', type: 'character varying(9)', position: 3 });
const WAS = [id, at, note];

interface Case {
  readonly now: readonly Column[];
  readonly was?: readonly Column[];
  readonly copy?: readonly Column[];
  readonly keepsDeleted?: boolean;
  readonly oid?: string;
}

const evolve = ({ now, was = WAS, copy = was, keepsDeleted = false, oid = '1' }: Case) => {
  const planned = evolutionOf({
    recorded: { oid: '1', columns: [...was] },
    current: { oid, columns: [...now] },
    copy,
    natives: NO_NATIVE_TYPES,
    mergeKey: ['id'],
    replicationKey: 'at',
    keepsDeleted,
    keepsDropped: false,
  });
  return planned.kind === 'in-place' ? planned.evolution : { obstacles: planned.obstacles.map(obstacleText) };
};

const NOTHING = {
  added: [],
  dropped: [],
  retyped: [],
  loosened: [],
  tightened: [],
  filled: [],
  compared: [],
};
const more = column({ name: 'more', position: 4, isNotNull: true });

test('an added column is filled, and demanded where rows that are gone have no say in it', () => {
  expect(evolve({ now: [...WAS, more] })).toEqual({
    ...NOTHING,
    added: [more],
    tightened: ['more'],
    filled: ['more'],
  });
  expect(evolve({ now: [...WAS, more], keepsDeleted: true })).toMatchObject({ tightened: [] });
});

test('a column that somebody has added to the copy before is ours from now on, with the values of the source', () => {
  const lax = { ...more, isNotNull: false };
  expect(evolve({ now: [...WAS, more], copy: [...WAS, lax] })).toEqual({
    ...NOTHING,
    tightened: ['more'],
    filled: ['more'],
  });
  const other = { ...more, type: 'integer' };
  expect(evolve({ now: [...WAS, more], copy: [...WAS, other] })).toEqual({
    obstacles: ['column "more" of the destination table is integer, which cannot become text in place'],
  });
});

test('a renamed column is one that went and one that came', () => {
  const remark = { ...note, name: 'remark' };
  expect(evolve({ now: [id, at, remark] })).toEqual({
    ...NOTHING,
    added: [remark],
    dropped: ['note'],
    filled: ['remark'],
  });
  expect(evolve({ now: [id, at], copy: [id, at] })).toEqual(NOTHING);
});

test('a column that came back keeps its place where its type allows, and gets all values anew', () => {
  expect(evolve({ now: [id, at, { ...note, position: 4 }] })).toEqual({ ...NOTHING, filled: ['note'] });
  const other = { ...note, type: 'integer', position: 4, base: id.base };
  expect(evolve({ now: [id, at, other] })).toEqual({
    ...NOTHING,
    added: [other],
    dropped: ['note'],
    filled: ['note'],
  });
});

test('what is widened is converted and compared, and nothing is compared that cannot have changed', () => {
  const wide = column({ name: 'note', type: 'text', position: 3 });
  expect(evolve({ now: [id, at, wide] })).toEqual({
    ...NOTHING,
    retyped: [{ name: 'note', from: 'character varying(9)', to: 'text' }],
    compared: ['note'],
  });
  expect(evolve({ now: [id, at, { ...note, collation: 'pg_catalog."C"' }] })).toEqual({
    ...NOTHING,
    compared: ['note'],
  });
  const identity = evolve({ now: [{ ...id, identity: 'a' as const }, at, note] });
  expect(identity).toEqual(NOTHING);
  expect('added' in identity && altersTable(identity)).toBe(false);
});

test('NULL comes and goes with the source, and a copy that was laxer before stays so', () => {
  const strict = { ...note, isNotNull: true };
  expect(evolve({ now: [id, at, strict] })).toEqual({
    ...NOTHING,
    tightened: ['note'],
    compared: ['note'],
  });
  expect(evolve({ now: WAS, was: [id, at, strict] })).toEqual({ ...NOTHING, loosened: ['note'] });
  expect(evolve({ now: [id, at, strict], was: [id, at, strict], copy: WAS })).toEqual(NOTHING);
});

test('a column that is missing at the destination only comes back, and one that is stricter is let loose', () => {
  expect(evolve({ now: WAS, copy: [id, at] })).toEqual({ ...NOTHING, added: [note], filled: ['note'] });
  expect(evolve({ now: WAS, copy: [id, at, { ...note, isNotNull: true }] })).toEqual({
    ...NOTHING,
    loosened: ['note'],
  });
});

test.each([
  ['another table', { now: WAS, oid: '2' }, 'dropped and created again'],
  [
    'narrower',
    { now: [id, at, column({ ...note, type: 'integer', base: 'integer' })] },
    'cannot become integer',
  ],
  ['another key', { now: [{ ...id, position: 5 }, at, note] }, '"id" of unique_cols is not the same column'],
  ['a key that may be NULL', { now: [{ ...id, isNotNull: false }, at, note] }, 'may now be NULL'],
  ['the key is gone from the copy', { now: WAS, copy: [at, note] }, '"id" of unique_cols'],
  [
    'another replication key',
    { now: [id, { ...at, position: 5 }, note] },
    '"at" of replication_key is not the same column',
  ],
  [
    'another kind of replication key',
    { now: [id, column({ ...at, base: 'date', type: 'date' }), note] },
    'has another order than before',
  ],
])('not in place: %s', (_what, change: Case, why) => {
  const found = evolve(change);
  expect('obstacles' in found ? found.obstacles.join('; ') : 'in place').toContain(why);
});
