/**
 * How much of what can be varied is tried. `npm test` is for all day and tries a part, the gate (INCREP_TEST_TIER=gate)
 * more, and `npm run test:all` (INCREP_TEST_TIER=all) everything.
 */
import process from 'node:process';
import { test, type TestAPI } from 'vitest';

const TIERS = ['day', 'gate', 'all'] as const;
type Tier = (typeof TIERS)[number];

function parseTier(text: string | undefined): Tier {
  const tier = TIERS.find((each) => each === (text ?? 'day'));
  if (!tier) throw new Error(`INCREP_TEST_TIER is ${text}, not one of ${TIERS.join(', ')}`);
  return tier;
}

const tier = parseTier(process.env['INCREP_TEST_TIER']);
const isIn = (least: Tier): boolean => TIERS.indexOf(tier) >= TIERS.indexOf(least);

export const isWhole = isIn('all');

/** Takes tests like `test` and runs none: they belong to another tier, and are not skipped. */
function leaveOut(): TestAPI {
  const ignore = () => undefined;
  return Object.assign(ignore, { each: () => ignore, for: () => ignore }) as unknown as TestAPI;
}

/** `test` for what takes seconds and has quicker siblings in its file: the gate runs it. */
export const gateTest: TestAPI = isIn('gate') ? test : leaveOut();

/** `test` for what takes longer still: `npm run test:all` runs it. */
export const fullTest: TestAPI = isIn('all') ? test : leaveOut();

/** Where a test runs with either loader although only the way of the rows differs: by COPY all day, in the gate by both. */
export const LOADERS_TRIED = isIn('gate') ? (['pg_dump', 'copy'] as const) : (['copy'] as const);

/** All cases in `least` and above it (`npm run test:all`), otherwise every nth one, from the first on. */
export const oneIn = <T>(n: number, cases: readonly T[], least: Tier = 'all'): readonly T[] =>
  isIn(least) ? cases : cases.filter((_, index) => index % n === 0);
