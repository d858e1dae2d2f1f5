import { expect, test } from 'vitest';
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

test('a warning that went away and comes back is new, unless its table was not synced meanwhile', () => {
  const tables = new Set(['orders']);
  const now = new Date(START);
  const first = reportDue({ known: [], current: [open], tables, now });
  const soon = new Date(START + MINUTE);
  const without = reportDue({ known: first.known, current: [], tables, now: soon });
  expect(reportDue({ known: without.known, current: [open], tables, now: soon }).due).toEqual([open]);
  const other = reportDue({ known: first.known, current: [], tables: new Set(['items']), now: soon });
  expect(reportDue({ known: other.known, current: [open], tables, now: soon }).due).toEqual([]);
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
