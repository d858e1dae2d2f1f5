import { expect, test } from 'vitest';
import { bothOf, byTable, digestOf } from '../../../src/status/run-stats.ts';
import { failedAt, runAt } from './runs.ts';

const NOW = new Date('2026-01-02T12:00:00Z');
const at = (minutes: number) => new Date(runAt(minutes).started_at);

test('failures count since the last success', () => {
  const runs = [failedAt(1), runAt(2), failedAt(3), failedAt(4, { error_code: 'DISK_FULL' })];
  expect(digestOf(runs, NOW)).toMatchObject({
    failures: 2,
    lastSuccessAt: at(2),
    lastFailure: { error_code: 'DISK_FULL' },
    latest: { run_id: 'run-4' },
  });
  expect(digestOf([...runs, runAt(5)], NOW)).toMatchObject({ failures: 0, lastFailure: undefined });
  // In whatever order they were written.
  expect(digestOf(runs.toReversed(), NOW)).toEqual(digestOf(runs, NOW));
  expect(digestOf(runs, NOW, at(3))).toMatchObject({ failures: 1, lastSuccessAt: at(3) });
});

test('a run that met another one, or was stopped, is no failure; a run that was killed is one', () => {
  const stopped = { table_name: null, tables: ['orders'], error_code: 'INTERRUPTED' };
  const runs = [runAt(1), failedAt(2, { error_code: 'RUN_LOCKED' }), failedAt(3, stopped)];
  expect(digestOf(runs, NOW).failures).toBe(0);
  const interrupted = { error_code: 'INTERRUPTED' };
  expect(digestOf([...runs, failedAt(4, interrupted)], NOW).failures).toBe(0);
  expect(digestOf([...runs, failedAt(4, { ...interrupted, was_killed: true })], NOW).failures).toBe(1);
  expect(digestOf([failedAt(3, { ...stopped, was_killed: true })], NOW).failures).toBe(0);
});

test('a run that failed as a whole belongs to every table that it did not come to', () => {
  const whole = failedAt(1, { table_name: null, tables: ['orders', 'events'] });
  const found = byTable([whole, runAt(2), runAt(3, { table_name: 'others' })]);
  expect([...found].map(([table, runs]) => [table, runs.length])).toEqual([
    ['orders', 2],
    ['events', 1],
    ['others', 1],
  ]);
});

test('rows are those of the last 24 hours, whatever was done to them', () => {
  const before = runAt(-721, { rows_inserted: 1000 });
  const runs = [before, runAt(-719, { rows_inserted: 1 }), runAt(1, { rows_updated: 20, rows_deleted: 300 })];
  expect(digestOf(runs, NOW).rowsLastDay).toBe(321);
});

test('nothing is known of no runs', () => {
  const nothing = {
    latest: undefined,
    lastSuccessAt: undefined,
    failures: 0,
    lastFailure: undefined,
    rowsLastDay: 0,
  };
  expect(digestOf([], NOW)).toEqual(nothing);
  expect(bothOf(digestOf([], NOW), digestOf([], NOW))).toEqual(nothing);
});

test('two halves of a history say what the whole says', () => {
  const runs = [runAt(1, { rows_inserted: 1 }), failedAt(2), failedAt(3, { rows_updated: 5 }), failedAt(4)];
  const [some, others] = [runs.slice(0, 2), runs.slice(2)];
  expect(bothOf(digestOf(some, NOW), digestOf(others, NOW, at(1)))).toEqual(digestOf(runs, NOW));
});
