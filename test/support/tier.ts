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

/** A kind of test for what takes seconds and has quicker siblings: `npm run test:all` runs it, and other runs have no such test. */
export const slowKind = <Kind extends object>(kind: Kind): Kind => {
  const ignore = () => undefined;
  return isWhole
    ? kind
    : (Object.assign(ignore, {
        each: () => ignore,
        for: () => ignore,
        runIf: () => ignore,
      }) as unknown as Kind);
};

export const slowTest: TestAPI = slowKind(test);

/** Where a test runs with either loader although only the way of the rows differs. */
export const LOADERS_TRIED = isWhole ? (['pg_dump', 'copy'] as const) : (['copy'] as const);

/** All cases in `npm run test:all`, otherwise every nth one, from the first on. */
export const oneIn = <T>(n: number, cases: readonly T[]): readonly T[] =>
  isWhole ? cases : cases.filter((_, index) => index % n === 0);
