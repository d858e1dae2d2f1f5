import { expect, test } from 'vitest';
import { combinedExitCode } from '../../../src/commands/pipeline/each-destination.ts';

test.each([
  [[0, 0], 0],
  [[2, 0], 2],
  [[69, 69], 69],
  [[69, 78], 1],
  [[69, 0], 3],
  [[69, 2], 3],
  // The first destination has one failed table and others without failures.
  [[3, 69], 3],
  [[69, 3], 3],
])('exit codes %j of destinations are %i together', (codes, combined) => {
  expect(combinedExitCode(codes)).toBe(combined);
});
