import { expect, test } from 'vitest';
import { limitsOf } from '../../../src/serve/records.ts';

const every = (seconds: number) => ({ kind: 'every', seconds }) as const;
const none = { maxStalenessSeconds: undefined, warnStalenessSeconds: undefined };

test('the limits of a table are those of its configuration', () => {
  expect(limitsOf({ maxStalenessSeconds: 3600, warnStalenessSeconds: 600 }, every(30))).toEqual({
    ...{ behindAfter: 600, staleAfter: 3600 },
  });
  expect(limitsOf({ ...none, maxStalenessSeconds: 3600 }, every(30))).toEqual({
    ...{ behindAfter: null, staleAfter: 3600 },
  });
});

test('without limits, a table is behind after three intervals of its schedule, and after five minutes at the earliest', () => {
  expect(limitsOf(none, every(3600))).toEqual({ behindAfter: 10_800, staleAfter: null });
  expect(limitsOf(none, every(30))).toEqual({ behindAfter: 300, staleAfter: null });
  const cron = { kind: 'cron', expression: '0 3 * * *', timeZone: 'UTC' } as const;
  expect(limitsOf(none, cron)).toEqual({ behindAfter: null, staleAfter: null });
  expect(limitsOf(none, undefined)).toEqual({ behindAfter: null, staleAfter: null });
});
