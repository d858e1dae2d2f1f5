import { expect, test } from 'vitest';
import {
  newCounters,
  withRun as counters,
  countersSchema,
  type Counters,
} from '../../../src/schema/counters.ts';
import { failure, outcome, summary } from '../report/outcomes.ts';

const tallied = (before: Counters, run: ReturnType<typeof summary>, configured: readonly string[]) =>
  counters(before, { summary: run, configured, asked: configured });

const done = outcome({ rowsRead: 5, rowsInserted: 2, rowsUpdated: 1, rowsUnchanged: 2, bytes: 100 });
const failed = outcome({ status: 'failed', error: failure() });

test('rows and bytes add up, and the end of the sync is its success', () => {
  const once = tallied(newCounters('shop'), summary({ tables: [done] }), ['orders']);
  const twice = tallied(once, summary({ tables: [done] }), ['orders']);
  expect(twice.tables).toEqual([
    {
      name: 'orders',
      ...{ rowsRead: 10, rowsInserted: 4, rowsUpdated: 2, rowsUnchanged: 4, rowsDeleted: 0, bytes: 200 },
      ...{ failures: 0, lastSuccessAt: '2026-03-01T10:00:00.400Z', unchangedAt: null, durationSeconds: 0.4 },
      conflicts: null,
    },
  ]);
  expect(twice.lastSuccessAt).toBe('2026-03-01T10:00:04.200Z');
  expect(countersSchema.parse(JSON.parse(JSON.stringify(twice)))).toEqual(twice);
});

test('conflicts add up by resolution, once a run has counted some', () => {
  const counted = { ...done, conflicts: { source: 2, destination: 0, merged: 1 } };
  const once = tallied(newCounters('shop'), summary({ tables: [done] }), ['orders']);
  const then = [counted, done, counted].reduce(
    (before, table) => tallied(before, summary({ tables: [table] }), ['orders']),
    once,
  );
  expect(once.tables[0]?.conflicts).toBeNull();
  expect(then.tables[0]?.conflicts).toEqual({ source: 4, destination: 0, merged: 2 });
});

test('a failure counts, keeps the last success, and what it did move', () => {
  const good = tallied(newCounters('shop'), summary({ tables: [done] }), ['orders']);
  const refused = { ...done, status: 'failed' as const, error: failure({ code: 'DELETE_LIMIT_EXCEEDED' }) };
  const bad = tallied(good, summary({ status: 'failed', tables: [refused] }), ['orders']);
  expect(bad.lastSuccessAt).toBe(good.lastSuccessAt);
  expect(bad.tables).toMatchObject([
    { failures: 1, rowsRead: 10, lastSuccessAt: '2026-03-01T10:00:00.400Z' },
  ]);
});

test('a table that another run holds, that was skipped, or that was not asked for is left as it was', () => {
  const once = tallied(newCounters('shop'), summary({ tables: [failed] }), ['orders']);
  const locked = { ...failed, error: failure({ code: 'RUN_LOCKED' }) };
  for (const tables of [[locked], [outcome({ status: 'skipped' })], []]) {
    expect(tallied(once, summary({ status: 'failed', tables }), ['orders']).tables).toEqual(once.tables);
  }
});

test('a table that a signal interrupted has not failed, but its rows count', () => {
  const once = tallied(newCounters('shop'), summary({ tables: [failed] }), ['orders']);
  const stopped = outcome({ status: 'failed', rowsRead: 5, error: failure({ code: 'INTERRUPTED' }) });
  const { tables } = tallied(once, summary({ status: 'failed', tables: [stopped] }), ['orders']);
  expect(tables).toMatchObject([
    { failures: 1, rowsRead: (once.tables[0]?.rowsRead ?? 0) + 5, lastSuccessAt: null },
  ]);
});

test('of a table that is gone from the configuration nothing is kept, and a new one begins at 0', () => {
  const once = tallied(newCounters('shop'), summary({ tables: [done] }), ['orders']);
  const other = tallied(once, summary(), ['__proto__']);
  expect(other.tables).toMatchObject([{ name: '__proto__', rowsRead: 0, lastSuccessAt: null }]);
});

test('a run that ends before a table fails it, unless it was interrupted or not asked for it', () => {
  const ended = summary({ status: 'failed', error: failure({ code: 'CONNECTION_FAILED' }) });
  const twice = tallied(tallied(newCounters('shop'), ended, ['orders']), ended, ['orders']);
  expect(twice.tables).toMatchObject([{ failures: 2, durationSeconds: null }]);
  const stopped = summary({ status: 'failed', error: failure({ code: 'INTERRUPTED' }) });
  expect(tallied(twice, stopped, ['orders'])).toEqual(twice);
  expect(twice.errors).toEqual([{ code: 'CONNECTION_FAILED', count: 2 }]);
  const { tables, errors } = counters(twice, { summary: ended, configured: ['orders'], asked: [] });
  expect(tables).toEqual(twice.tables);
  expect(errors).toEqual([{ code: 'CONNECTION_FAILED', count: 3 }]);
});
