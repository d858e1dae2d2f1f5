import { expect, test } from 'vitest';
import { valueBeyond } from '../../../src/schema/sequence-value.ts';

const UP = { start: '1', increment: '1', min: '1', max: '9223372036854775807' };
const TENS = { ...UP, increment: '10' };
const DOWN = { start: '-1', increment: '-1', min: '-9223372036854775808', max: '-1' };

test.each([
  ['a new sequence goes beyond the rows', UP, null, ['7', '3'], '7'],
  ['also if only the first value is there', UP, null, ['1'], '1'],
  ['the last value at the source counts too', UP, '5', ['7', '9'], '9'],
  ['a sequence that is far enough stays', UP, '9', ['7', '9'], undefined],
  ['without rows, it begins at its start', UP, null, [], undefined],
  ['rows below the start of a new sequence', { ...UP, start: '1000' }, null, ['7'], undefined],
  ['steps stay in step', TENS, null, ['45'], '51'],
  ['steps from the last value', TENS, '11', ['21'], '21'],
  ['a value that no number can hold', UP, null, ['9007199254740993'], '9007199254740993'],
  ['downwards', DOWN, '-3', ['-2', '-8'], '-8'],
  ['downwards, and far enough', DOWN, '-9', ['-8'], undefined],
  ['downwards in steps', { ...DOWN, increment: '-5', start: '0', max: '0' }, null, ['-7'], '-10'],
  ['the end of the range', { ...TENS, max: '50' }, null, ['45'], '45'],
] as const)('%s', (_, range, current, used, value) => {
  expect(valueBeyond(range, current, used)?.value).toBe(value);
});

test('a value outside of the range is said to be so', () => {
  expect(valueBeyond({ ...UP, max: '50' }, null, ['51'])).toEqual({ value: '51', isInRange: false });
});
