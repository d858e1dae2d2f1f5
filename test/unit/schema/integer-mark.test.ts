/** Which integer key becomes the high-water mark: the lowest of all bounds, because a mark that is too low loses nothing. */
import { expect, test } from 'vitest';
import { chooseMark } from '../../../src/schema/integer-mark.ts';

const found = (change: Partial<Parameters<typeof chooseMark>[0]> = {}) => ({
  top: '1000000000000',
  belowGap: null,
  belowClock: null,
  sequenceEnd: null,
  belowSequence: null,
  hasRowsBelow: false,
  ...change,
});

test.each([
  ['no row', { top: null }, { high: null, isUncertain: false }],
  ['no bound', {}, { high: '1000000000000', isUncertain: false }],
  ['a gap', { belowGap: '10' }, { high: '10', isUncertain: false }],
  ['numbers, not text', { belowGap: '9', belowClock: '10' }, { high: '9', isUncertain: false }],
  [
    'a sequence',
    { sequenceEnd: '12', belowSequence: '11', hasRowsBelow: true, belowGap: '20' },
    { high: '11', isUncertain: false },
  ],
  ['a sequence that numbers no row', { sequenceEnd: '3' }, { high: '1000000000000', isUncertain: false }],
  [
    'more rows above the sequence than are looked at',
    { sequenceEnd: '12', hasRowsBelow: true },
    { high: '1000000000000', isUncertain: true },
  ],
] as const)('%s', (_, change, expected) => {
  expect(chooseMark(found(change))).toEqual(expected);
});
