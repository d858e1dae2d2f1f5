import { expect, test } from 'vitest';
import { chosenRuns } from '../../../src/status/run-history.ts';
import { failedAt, runAt } from './runs.ts';

const ALL = { tables: undefined, since: undefined, isFailedOnly: false, limit: 100 };
const inRun = (id: string) => ({ run_id: id });

test('records become runs: when, how long, and how they ended', () => {
  const runs = chosenRuns(
    [
      runAt(2, { ...inRun('b'), table_name: 'events', duration_s: 90 }),
      runAt(1, { ...inRun('b'), duration_s: 30 }),
      failedAt(3, { ...inRun('b'), table_name: 'others' }),
      failedAt(0, { ...inRun('a'), table_name: null, tables: ['orders'], duration_s: 7 }),
      failedAt(9, inRun('c')),
    ],
    ALL,
  );
  expect(runs).toMatchObject([
    { id: 'a', status: 'failed', durationSeconds: 7, tables: [], failure: { table_name: null } },
    { id: 'b', status: 'partial', durationSeconds: 150, failure: { table_name: 'others' } },
    { id: 'c', status: 'failed', failure: { table_name: 'orders' } },
  ]);
  expect(runs[1]?.tables.map(({ table_name: name }) => name)).toEqual(['orders', 'events', 'others']);
  expect(runs[1]?.startedAt).toEqual(new Date(runAt(1).started_at));
});

test('of two records of one run and table the first one counts', () => {
  const runs = chosenRuns([runAt(1, { rows_read: 5 }), runAt(1)], ALL);
  expect(runs.map(({ tables }) => tables.map(({ rows_read: rows }) => rows))).toEqual([[5]]);
});

test('the newest that were asked for', () => {
  const whole = failedAt(4, { table_name: null, tables: ['events'] });
  const records = [1, 2, 3].map((minutes) => runAt(minutes));
  const ids = (more: Partial<typeof ALL>) =>
    chosenRuns([...records, whole], { ...ALL, ...more }).map(({ id }) => id);
  expect(ids({ limit: 2 })).toEqual(['run-3', 'run-4']);
  expect(ids({ isFailedOnly: true })).toEqual(['run-4']);
});

test('of tables, with the runs that did not come to them; and not older than', () => {
  const whole = failedAt(4, { table_name: null, tables: ['events'] });
  const records = [runAt(1), runAt(2), runAt(3, { table_name: 'events' }), whole];
  const ids = (table: string) => chosenRuns(records, { ...ALL, tables: [table] }).map(({ id }) => id);
  expect(ids('orders')).toEqual(['run-1', 'run-2']);
  expect(ids('events')).toEqual(['run-3', 'run-4']);
  const since = new Date(runAt(3).started_at);
  expect(chosenRuns(records, { ...ALL, since }).map(({ id }) => id)).toEqual(['run-3', 'run-4']);
});

test('a run that was stopped has not failed, and is no run of the tables that it did not start', () => {
  const stopped = { ...inRun('a'), error_code: 'INTERRUPTED' };
  const records = [
    runAt(1, inRun('a')),
    runAt(1, { ...inRun('a'), table_name: null, tables: ['quiet'] }),
    failedAt(2, { ...stopped, table_name: null, tables: ['orders', 'quiet', 'events', 'others'] }),
  ];
  expect(chosenRuns(records, ALL)).toMatchObject([{ status: 'failed', notStarted: ['events', 'others'] }]);
  const ids = (more: object) => chosenRuns(records, { ...ALL, ...more }).map(({ id }) => id);
  expect(ids({ tables: ['events'] })).toEqual([]);
  expect(ids({ tables: ['quiet'] })).toEqual(['a']);
  expect(ids({ isFailedOnly: true })).toEqual([]);
  const killed = failedAt(3, { ...stopped, was_killed: true });
  expect(chosenRuns([killed], { ...ALL, isFailedOnly: true })).toHaveLength(1);
  const busy = failedAt(4, { error_code: 'RUN_LOCKED' });
  expect(chosenRuns([busy], { ...ALL, isFailedOnly: true })).toEqual([]);
});
