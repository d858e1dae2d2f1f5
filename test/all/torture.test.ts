/** The short form of `npm run torture`. */
import { randomInt } from 'node:crypto';
import process from 'node:process';
import { expect, test } from 'vitest';
import { freshPair } from '../support/pair.ts';
import { torture } from '../torture/harness.ts';
import { formatReport } from '../torture/report.ts';

test('no row is lost, kept or changed on the way under 16 writers and a runner that is killed', async () => {
  await using pair = await freshPair();
  await using spoke = await freshPair();
  const result = await torture(
    pair,
    { spoke },
    {
      seed: Number(process.env['INCREP_TORTURE_SEED'] ?? randomInt(1, 1_000_000)),
      seconds: 20,
      writers: 16,
      deletes: true,
      // Other tests prepare transactions too, and places are few.
      preparedAtOnce: 8,
    },
  );
  // The whole report, for the seed that brings a failure back.
  expect(result.failures.length === 0 ? '' : formatReport(result)).toBe('');
  expect(result.syncs.killed).toBeGreaterThan(0);
}, 120_000);
