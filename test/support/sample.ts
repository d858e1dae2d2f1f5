/** Which calls of a test run as child processes, so that what a child has of its own stays tested. */
import { createHash } from 'node:crypto';
import process from 'node:process';
import { expect } from 'vitest';

/** One in so many. */
const EVERY = 10;

const SEED = process.env['INCREP_TEST_SEED'] ?? '1';

let calls = 0;
let currentTest: string | undefined;

/** The same calls in every run with the same INCREP_TEST_SEED. */
export function isSampled(call: string): boolean {
  const { testPath = '', currentTestName = '' } = expect.getState();
  const test = `${testPath.replace(/^.*\/test\//, '')} ${currentTestName}`;
  if (test !== currentTest) {
    currentTest = test;
    calls = 0;
  }
  calls += 1;
  const digest = createHash('sha256').update(`${SEED} ${test} ${calls} ${call}`).digest();
  return digest.readUInt32BE(0) % EVERY === 0;
}
