import { expect, test } from 'vitest';
import { clockError } from '../../../src/postgres/server-clock.ts';

const DAY = 86_400_000;
const here = { now: 10 * DAY, elapsed: 5000 };
/** Asked two seconds ago. */
const serverAt = (at: number) => ({ at: at - 2000, hereAt: 0, receivedAt: 3000 });

test.for([
  { what: 'both servers agree', servers: [7 * DAY, 7 * DAY + 400], error: 3 * DAY - 200 },
  { what: 'it is behind', servers: [11 * DAY, 11 * DAY], error: -DAY },
  { what: 'all agree', servers: [10 * DAY + 900, 10 * DAY - 900], error: 0 },
  { what: 'a server agrees with this machine', servers: [7 * DAY, 10 * DAY], error: 0 },
  { what: 'all differ', servers: [7 * DAY, 8 * DAY], error: 0 },
])('$what', ({ servers, error }) => {
  expect(clockError(servers.map(serverAt), here)).toBe(error);
});

test('one server alone does not show which clock is right', () => {
  expect(clockError([serverAt(7 * DAY), undefined], here)).toBe(0);
  expect(clockError([undefined, undefined], here)).toBe(0);
});
