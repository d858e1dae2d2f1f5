/**
 * How much of what can be varied is tried. `npm test` is for all day and tries a part, the gate (INCREP_TEST_TIER=gate)
 * more, and `npm run test:all` (INCREP_TEST_TIER=all) everything.
 */
import process from 'node:process';

const TIERS = ['day', 'gate', 'all'] as const;
type Tier = (typeof TIERS)[number];

function parseTier(text: string | undefined): Tier {
  const tier = TIERS.find((each) => each === (text ?? 'day'));
  if (!tier) throw new Error(`INCREP_TEST_TIER is ${text}, not one of ${TIERS.join(', ')}`);
  return tier;
}

const tier = parseTier(process.env['INCREP_TEST_TIER']);

export const isWhole = tier === 'all';

/** Where a test runs with either loader although only the way of the rows differs: by COPY all day, in the gate by both. */
export const LOADERS_TRIED = tier === 'day' ? (['copy'] as const) : (['pg_dump', 'copy'] as const);

/** All in `npm run test:all`, otherwise every nth one, from the first on. */
export const oneIn = <T>(n: number, cases: readonly T[]): readonly T[] =>
  isWhole ? cases : cases.filter((_, index) => index % n === 0);
