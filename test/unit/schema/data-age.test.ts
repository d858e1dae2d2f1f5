import { expect, test } from 'vitest';
import { completeAt } from '../../../src/schema/data-age.ts';

const NOW = new Date('2026-11-21T12:05:00.000Z');

const settled = {
  fencedAt: '2026-11-21T12:00:00.000Z',
  sourceTime: '2026-11-21 12:00:00.5+00',
  cursor: '2026-11-21 11:59:00+00',
  fences: [],
  keyType: 'timestamptz',
} as const;
const fencedFrom = (from: string | null) => [{ from, transactions: ['3/17'] }];

test('a copy without open transactions is complete up to its last sync, however old its newest row is', () => {
  expect(completeAt({ ...settled, cursor: '2019-01-01 00:00:00+00' }, NOW)).toEqual(
    new Date(settled.fencedAt),
  );
});

test('an open transaction sets it back by as much as it may write below the cursor', () => {
  const fences = fencedFrom('2026-11-21 11:29:00.5+00');
  expect(completeAt({ ...settled, fences }, NOW)).toEqual(new Date('2026-11-21T11:30:00.500Z'));
});

test('it is complete up to the start of the oldest open transaction, however old the cursor before was', () => {
  const [first, second] = ['2026-11-21T11:59:20.000Z', '2026-11-21T11:59:54.000Z'];
  const later = { from: '2026-11-21 10:00:00+00', transactions: ['3/17'], openAfter: second };
  const fences = [later, { from: '2026-11-21 11:00:00+00', transactions: ['4/2'], openAfter: first }];
  expect(completeAt({ ...settled, fences }, NOW)).toEqual(new Date(first));
  const numbered = fences.map((fence) => ({ ...fence, from: '7' }));
  expect(completeAt({ ...settled, keyType: 'integer', cursor: '9', fences: numbered }, NOW)).toEqual(
    new Date(first),
  );
  expect(completeAt({ ...settled, fences: [later, ...fencedFrom(null)] }, NOW)).toBeUndefined();
});

test('a mark above the cursor does not make it newer than the sync', () => {
  expect(completeAt({ ...settled, fences: fencedFrom('2026-11-21 13:00:00+00') }, NOW)).toEqual(
    new Date(settled.fencedAt),
  );
});

test('days count as days', () => {
  const byDay = {
    ...settled,
    keyType: 'date',
    cursor: '2026-11-20',
    fences: fencedFrom('2026-11-18'),
  } as const;
  expect(completeAt(byDay, NOW)).toEqual(new Date('2026-11-19T12:00:00.000Z'));
});

test.for([
  { why: 'integers are no clock', keyType: 'integer', cursor: '120', from: '90' },
  {
    why: 'the transaction is older than all that is known',
    keyType: 'timestamptz',
    cursor: settled.cursor,
    from: null,
  },
] as const)('it is unknown where $why', ({ keyType, cursor, from }) => {
  expect(completeAt({ ...settled, keyType, cursor, fences: fencedFrom(from) }, NOW)).toBeUndefined();
});

test('a sync in the future, by a clock that was ahead, counts from the time of the source', () => {
  const ahead = { ...settled, fencedAt: '2026-11-24T12:00:00.000Z' };
  expect(completeAt(ahead, NOW)).toEqual(new Date('2026-11-21T12:00:00.500Z'));
  expect(completeAt(settled, NOW, new Date('2026-11-24T12:01:00Z'))).toEqual(new Date(settled.fencedAt));
  expect(completeAt(settled, NOW, new Date('2026-11-21T12:04:00Z'))).toEqual(
    new Date('2026-11-21T12:04:00Z'),
  );
});
