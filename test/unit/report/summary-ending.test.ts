import { expect, test } from 'vitest';
import { formatEnding } from '../../../src/report/summary.ts';
import { failure, outcome, summary, printed, plain } from './outcomes.ts';

test('results that differ between destinations are counted for each', () => {
  const endOf = (...statuses: readonly ('ok' | 'failed')[]) => {
    const destinations = statuses.map(
      (_, place) => ({ name: `d${place}`, status: 'ok', error: undefined }) as const,
    );
    const tables = statuses.map((status, place) =>
      outcome({ destination: `d${place}`, status, ...(status === 'failed' && { error: failure() }) }),
    );
    return formatEnding(summary({ destinations, tables }), tables.length, plain);
  };
  expect(endOf('ok', 'failed')).toBe('1 table ok, 1 failed (d0: 1 ok; d1: 1 failed) in 4.2 s\n');
  expect(endOf('failed', 'failed')).toBe('2 tables failed at 2 destinations in 4.2 s\n');
});

test('what the time limit left is named with its destination, of which there may be one of several', () => {
  const left = (destination: string) =>
    outcome({ destination, status: 'skipped', action: 'skipped', isDeferred: true });
  const endOf = (destinations: readonly string[]) =>
    formatEnding(
      summary({
        destinations: destinations.map((name) => ({ name, status: 'ok', error: undefined })),
        tables: destinations.map(left),
      }),
      destinations.length,
      plain,
    ).split('\n');
  expect(endOf(['one', 'two'])).toEqual([
    expect.stringMatching(/^2 tables deferred at 2 destinations in /),
    '2 tables deferred to the next run: one: orders, two: orders',
    '',
  ]);
  expect(endOf(['one'])[0]).toMatch(/^1 table deferred at 1 destination in /);
});

test('what ended the run is not told again below the table that it ended', () => {
  const error = failure({ code: 'INTERRUPTED', message: 'stopped by SIGINT', hint: 'Run it again.' });
  const ended = summary({ status: 'failed', error, tables: [outcome({ status: 'failed', error })] });
  expect(printed(ended, plain).match(/stopped by SIGINT/g)).toHaveLength(1);
  expect(formatEnding(ended, ended.tables.length, plain)).toBe('1 table interrupted in 4.2 s\n');
});

test('after many tables the end counts those without changes, also if their rows were read, and the time of a slow webhook', () => {
  const names = Array.from({ length: 12 }, (_, index) => `t${index}`);
  const tables = names.map((name, index) =>
    outcome({
      name,
      ...(index < 8 ? { isQuiet: true as const } : { rowsRead: 5, rowsUnchanged: index === 11 ? 4 : 5 }),
      rowsUpdated: index === 11 ? 1 : 0,
    }),
  );
  const end = (changes: object) => formatEnding(summary({ tables, ...changes }), 12, plain).trimEnd();
  expect(end({})).toBe('12 tables ok (11 without changes, of which 3 were read again) in 4.2 s');
  expect(end({ reportSeconds: 30 })).toMatch(/ in 4\.2 s, and 30\.0 s more to report the run$/);
});

test('the end counts the tables that a stopped run did not start', () => {
  const error = failure({ code: 'INTERRUPTED', message: 'stopped by SIGINT', hint: 'Run it again.' });
  const ended = summary({
    status: 'failed',
    error,
    tables: [outcome(), outcome({ status: 'failed', error })],
  });
  expect(formatEnding(ended, 302, plain)).toBe('1 table ok, 1 interrupted, 300 not started in 4.2 s\n');
});

test('a run with flags that did not reach all tables names its command', () => {
  const repeatCommand = 'increp sync --full-refresh';
  const failed = outcome({ status: 'failed', error: failure() });
  const ended = summary({ status: 'failed', tables: [failed], repeatCommand });
  expect(formatEnding(ended, 3, plain)).toMatch(
    /2 not started in 4\.2 s\nnext: For the tables that were not started, run "increp sync --full-refresh"\n$/,
  );
  expect(formatEnding(ended, 1, plain)).not.toContain('next: For');
  const deferred = summary({ tables: [outcome({ status: 'skipped', isDeferred: true })], repeatCommand });
  expect(formatEnding(deferred, 1, plain)).toMatch(
    /1 table deferred: orders; run again: "increp sync --full-refresh"\n$/,
  );
});

test('nor where the table has more to say of it', () => {
  const error = failure({ code: 'INTERRUPTED', message: 'stopped by SIGINT', hint: 'Run it again.' });
  const ofTable = { ...error, message: 'stopped by SIGINT; 7 of 9 chunks are kept' };
  const ended = summary({ status: 'failed', error, tables: [outcome({ status: 'failed', error: ofTable })] });
  expect(formatEnding(ended, ended.tables.length, plain)).toBe('1 table interrupted in 4.2 s\n');
});

test('a table that another run holds is busy, and one that a signal ended is interrupted', () => {
  const continued = { code: 'load-continued', done: 3, of: 7, later: [] } as const;
  const tables = [
    outcome({
      ...{
        status: 'failed',
        action: 'initial',
        reasons: [{ code: 'was-reset', at: '2026-03-01' }, continued],
      },
      error: failure({ code: 'RUN_LOCKED', message: 'it is being synced' }),
    }),
    outcome({ name: 'items', status: 'failed', error: failure({ code: 'INTERRUPTED', message: 'stopped' }) }),
  ];
  const text = printed(summary({ status: 'failed', tables }), plain);
  expect(text).toContain('- busy     orders');
  expect(text).toContain('\n    load in chunks: 3 of 7 chunks are done');
  expect(text).not.toContain('because');
  expect(text).toContain('- interrupted  items');
  expect(text).toContain('\n1 table busy, 1 interrupted in 4.2 s\n');
  expect(text).not.toContain('FAILED');
});

test('after many tables the failed ones are named again, with the command that shows why', () => {
  const tables = Array.from({ length: 11 }, (_, place) => outcome({ name: `t${place}` }));
  const failed = outcome({ name: 'my table', status: 'failed', error: failure() });
  const lines = printed(summary({ status: 'partial', tables: [failed, ...tables] }), plain)
    .trimEnd()
    .split('\n');
  expect(lines.slice(-2)).toEqual([
    '11 tables ok (11 without changes), 1 failed in 4.2 s',
    `    FAILED "my table" (PRIVILEGE_MISSING): increp status 'my table'`,
  ]);
  const few = printed(summary({ status: 'partial', tables: [failed] }), plain);
  expect(few).toMatch(/1 table failed in 4\.2 s\n$/);
});
