import { expect, test } from 'vitest';
import type { WarningEvent } from '../../../src/events.ts';
import { reportDue, type StandingWarning } from '../../../src/schema/standing-warnings.ts';

const START = Date.parse('2026-03-01T10:00:00Z');
const MINUTE = 60_000;
const open = { table: 'orders', text: '1 transaction open at the source: pid 4711 since 12:00' };

/** What runs every five minutes report, as minutes since the first one. */
function reportedBy(minutes: number, text: (run: number) => string = () => open.text): number[] {
  let known: readonly StandingWarning[] = [];
  const reported: number[] = [];
  for (let at = 0; at <= minutes; at += 5) {
    const current = [{ ...open, text: text(at) }];
    const now = new Date(START + at * MINUTE);
    const report = reportDue({ known, current, tables: new Set(['orders']), now });
    if (report.due.length > 0) reported.push(at);
    ({ known } = report);
  }
  return reported;
}

test('a warning that stays is reported when it is new, after an hour, and then once a day', () => {
  expect(reportedBy(3 * 24 * 60)).toEqual([0, 60, 60 + 24 * 60, 60 + 2 * 24 * 60]);
});

test('it is the same warning although its numbers change', () => {
  expect(reportedBy(55, (run) => `1 transaction open at the source: pid ${run} for ${run} min`)).toEqual([0]);
});

test('another table, or another text, is another warning', () => {
  const now = new Date(START);
  const tables = new Set(['orders', 'items']);
  const { known } = reportDue({ known: [], current: [open], tables, now });
  const others = [
    { ...open, table: 'items' },
    { ...open, text: 'another' },
    { ...open, table: null },
  ];
  expect(reportDue({ known, current: [open, ...others], tables, now }).due).toEqual(others);
});

test('a warning that went away and comes back within an hour is not new', () => {
  const first = reportDue({
    ...{ known: [], current: [open], tables: new Set(['orders']) },
    now: new Date(START),
  });
  const dueAgain = (minutes: number, synced = 'orders') => {
    const now = new Date(START + minutes * MINUTE);
    const { known } = reportDue({ known: first.known, current: [], tables: new Set([synced]), now });
    return reportDue({ known, current: [open], tables: new Set(['orders']), now }).due;
  };
  expect(dueAgain(59)).toEqual([]);
  expect(dueAgain(60)).toEqual([open]);
  expect(dueAgain(59, 'items')).toEqual([]);
});

/** What three runs report of a warning that they all have, or that the second one lacks. */
function reportsOf(event: WarningEvent | undefined, hasSecond: boolean): number[] {
  let known: readonly StandingWarning[] = [];
  return [0, 1, 2].filter((run) => {
    const current = run === 1 && !hasSecond ? [] : [{ ...open, event }];
    const now = new Date(START + run * MINUTE);
    const report = reportDue({ known, current, tables: new Set(['orders']), now });
    ({ known } = report);
    return report.due.length > 0;
  });
}

test('an event is new each time, or after a run without it', () => {
  expect(reportsOf('single', false)).toEqual([0, 2]);
  expect(reportsOf('single', true)).toEqual([0, 1, 2]);
  expect(reportsOf('repeated', false)).toEqual([0, 2]);
  expect(reportsOf('repeated', true)).toEqual([0]);
  expect(reportsOf(undefined, false)).toEqual([0]);
});

test('a warning that comes and goes is reported like one that stays', () => {
  let known: readonly StandingWarning[] = [];
  const reported: number[] = [];
  for (let at = 0; at < 3 * 24 * 60; at += 5) {
    const current = at % 10 === 0 ? [open] : [];
    const report = reportDue({
      ...{ known, current, tables: new Set(['orders']) },
      now: new Date(START + at * MINUTE),
    });
    ({ known } = report);
    if (report.due.length > 0) reported.push(at);
  }
  expect(reported).toEqual([0, 60, 60 + 24 * 60, 60 + 2 * 24 * 60]);
});

test('the session of an open transaction does not make it another warning', () => {
  const text = (user: string) => `1 transaction is open at the source (pid 12, user ${user}, psql). Wait.`;
  expect(reportedBy(55, (run) => text(`u${'x'.repeat(run)}`))).toEqual([0]);
});

test('a clock that was set back does not silence it', () => {
  const tables = new Set(['orders']);
  const { known } = reportDue({ known: [], current: [open], tables, now: new Date(START) });
  const now = new Date(START - 1);
  expect(reportDue({ known, current: [open], tables, now }).due).toEqual([open]);
});

test('rows that are twice as many as at the last report are news', () => {
  const rowsAt = (run: number) => (run < 15 ? 10 : run < 30 ? 19 : run < 45 ? 21 : 15);
  expect(reportedBy(55, (run) => `${rowsAt(run)} rows have no updated_at`)).toEqual([0, 30]);
});
