import { expect, test } from 'vitest';
import { missedByPart, testFaults } from '../faults/run-faults.ts';

test('the part of the faults that the gate runs holds every step and every kind', () => {
  expect(missedByPart()).toEqual([]);
});

testFaults('incremental');
