/**
 * How much of what can be varied is tried: `npm test` and the gate try a part, and `npm run test:all`
 * (INCREP_TEST_TIER=all) everything.
 */
import process from 'node:process';
import { test, type TestAPI } from 'vitest';

const TIERS = ['day', 'all'] as const;
type Tier = (typeof TIERS)[number];

function parseTier(text: string | undefined): Tier {
  const tier = TIERS.find((each) => each === (text ?? 'day'));
  if (!tier) throw new Error(`INCREP_TEST_TIER is ${text}, not one of ${TIERS.join(', ')}`);
  return tier;
}

export const isWhole = parseTier(process.env['INCREP_TEST_TIER']) === 'all';

/** Takes tests like `test` and runs none: they belong to `npm run test:all`, and are not skipped. */
function leaveOut(): TestAPI {
  const ignore = () => undefined;
  return Object.assign(ignore, { each: () => ignore, for: () => ignore }) as unknown as TestAPI;
}

/** `test` for what takes seconds and has quicker siblings: `npm run test:all` runs it. */
export const slowTest: TestAPI = isWhole ? test : leaveOut();

/** Where a test runs with either loader although only the way of the rows differs. */
export const LOADERS_TRIED = isWhole ? (['pg_dump', 'copy'] as const) : (['copy'] as const);

/** All cases in `npm run test:all`, otherwise every nth one, from the first on. */
export const oneIn = <T>(n: number, cases: readonly T[]): readonly T[] =>
  isWhole ? cases : cases.filter((_, index) => index % n === 0);
