import { afterEach, expect, test, vi } from 'vitest';
import { legacyStart } from '../../../src/sync/fence/legacy-cursor.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('a time with a zone is stepped back a second, to cover what the older script rounded up', () => {
  expect(legacyStart('2026-03-01T12:00:00.001Z', 'timestamptz')).toBe('2026-03-01 11:59:59.001+00');
});

test('a wall clock goes back the way it came: through the zone of the process', () => {
  vi.stubEnv('TZ', 'America/New_York');
  // The script read 07:00:00 as New York's and wrote it as UTC, five hours later.
  expect(legacyStart('2026-01-15T12:00:00.000Z', 'timestamp')).toBe('2026-01-15 06:59:59.000');
  expect(legacyStart('2026-07-15T12:00:00.000Z', 'timestamp')).toBe('2026-07-15 07:59:59.000');
  vi.stubEnv('TZ', 'Asia/Kolkata');
  expect(legacyStart('2026-01-15T12:00:00.000Z', 'timestamp')).toBe('2026-01-15 17:29:59.000');
  expect(legacyStart('2026-01-15T12:00:00.000Z', 'timestamptz')).toBe('2026-01-15 11:59:59.000+00');
});

test('where clocks go forward, one instant stands for two wall clocks, and the earlier one is taken', () => {
  vi.stubEnv('TZ', 'America/New_York');
  // 02:30 does not exist there on 8 March 2026; the script took it for 03:30, which is 07:30 UTC.
  expect(legacyStart('2026-03-08T07:30:00.001Z', 'timestamp')).toBe('2026-03-08 02:29:59.001');
  expect(legacyStart('2026-03-08T07:59:59.999Z', 'timestamp')).toBe('2026-03-08 02:59:58.999');
  expect(legacyStart('2026-03-08T12:00:00.000Z', 'timestamp')).toBe('2026-03-08 07:59:59.000');
});

test('where clocks go back, the start is not above either of the two', () => {
  vi.stubEnv('TZ', 'America/New_York');
  // The script read 01:30 on 1 November 2026 as the first of the two, 05:30 UTC.
  expect(legacyStart('2026-11-01T05:30:00.001Z', 'timestamp')).toBe('2026-11-01 01:29:59.001');
  expect(legacyStart('2026-11-01T07:30:00.001Z', 'timestamp')).toBe('2026-11-01 02:29:59.001');
});
