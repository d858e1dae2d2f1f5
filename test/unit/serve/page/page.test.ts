import { html } from 'hono/html';
import { expect, test } from 'vitest';
import { barChart, topOf } from '../../../../src/serve/page/charts.ts';
import { actionLinks } from '../../../../src/serve/page/buttons.ts';
import { dataTable } from '../../../../src/serve/page/html.ts';
import { attentionText } from '../../../../src/serve/page/overview.ts';
import { questionFor } from '../../../../src/serve/page/questions.ts';
import { lagPoints, periodsUntil, valuesIn } from '../../../../src/serve/page/series.ts';
import { SHOWN_STATES } from '../../../../src/serve/page/states.ts';
import {
  dueText,
  rowsText,
  speedOf,
  sumsOf,
  textBlock,
  waitingText,
} from '../../../../src/serve/page/values.ts';
import { TABLE_STATES, tableOutcome } from '../../../../src/serve/read/rows.ts';

const at = (text: string) => new Date(`2026-05-01T${text}Z`);
const now = at('12:10:00');

test('the first line says how many tables need attention', () => {
  const text = (tables: number, tablesInTrouble: number, pipelinesInTrouble = 0) =>
    attentionText({ tables, tablesInTrouble, pipelinesInTrouble });
  expect(text(212, 3)).toBe('3 of 212 tables need attention');
  expect(text(212, 1)).toBe('1 of 212 tables needs attention');
  expect(text(212, 0)).toBe('None of 212 tables needs attention');
  expect(text(0, 0)).toBe('No tables yet');
  expect(text(2, 0, 1)).toBe('1 pipeline needs attention');
  expect(text(212, 1, 2)).toBe('2 pipelines and 1 of 212 tables need attention');
});

test('each state has a glyph and a word of its own', () => {
  const shown = TABLE_STATES.map((state) => SHOWN_STATES[state]);
  expect(new Set(shown.map(({ word }) => word)).size).toBe(TABLE_STATES.length);
  expect(new Set(shown.map(({ glyph }) => glyph)).size).toBe(TABLE_STATES.length);
  expect(SHOWN_STATES.never_synced.tone).not.toBe('good');
});

test('every value is escaped, in cells, titles and charts', async () => {
  const name = `"><script>alert('x')</script>`;
  const parts = [
    dataTable({ caption: name, columns: [{ title: name }], rows: [[name]], empty: '' }),
    barChart({
      title: name,
      series: [{ name, tone: name }],
      bars: [{ at: now, values: [1] }],
      format: () => name,
    }),
    actionLinks({ tokenId: '1', name: 'me', role: 'admin', pipelines: null }, ['sync'], {
      pipeline: name,
      table: name,
    }),
  ];
  for (const part of parts) {
    const text = String(await part);
    expect(text).not.toContain('<script');
    expect(text).not.toContain('"><');
  }
});

test('the lines and spaces of a text that shows a place in a file stay', async () => {
  expect(String(await textBlock('1 problem:\n  2 | <\n      ^'))).toBe(
    '<pre class="mono">1 problem:\n  2 | &lt;\n      ^</pre>',
  );
  expect(String(await textBlock('the file is missing'))).toBe('<p>the file is missing</p>');
});

test('actions are for those who may do them', async () => {
  const links = async (role: 'read' | 'operate' | 'admin', pipelines: readonly string[] | null) =>
    [
      ...String(
        await actionLinks({ tokenId: '1', name: 'me', role, pipelines }, ['sync', 'reset', 'pause'], {
          pipeline: 'p',
        }),
      ).matchAll(/\/do\/([\w-]+)/g),
    ].map(([, action]) => action);
  expect(await links('read', null)).toEqual([]);
  expect(await links('operate', ['p'])).toEqual(['sync', 'pause']);
  expect(await links('admin', null)).toEqual(['sync', 'reset', 'pause']);
  const general = await actionLinks(
    { tokenId: '1', name: 'me', role: 'admin', pipelines: ['p'] },
    ['pause'],
    {
      pipeline: null,
    },
  );
  expect(String(general)).not.toContain('/do/');
});

test('each action says what it will do', () => {
  const table = { pipeline: 'shop', table: 'orders' };
  for (const action of ['sync', 'verify', 'full-refresh', 'reset', 'pause', 'resume'] as const) {
    const { title, effects } = questionFor(action, table);
    expect(title).toMatch(/table orders of pipeline shop.*\?$/);
    expect(effects.length).toBeGreaterThan(0);
  }
  expect(questionFor('pause', { pipeline: null, table: null }).title).toBe('Pause everything?');
});

test('each period has a value, also without a row', () => {
  const periods = periodsUntil(now, 15, 3);
  expect(periods).toEqual([at('11:30:00'), at('11:45:00'), at('12:00:00')]);
  expect(valuesIn(periods, [{ at: at('11:45:00'), rows: 5 }], ({ rows }) => rows)).toEqual([0, 5, 0]);
});

test('a lag grows through periods without a success, and until now', () => {
  const rows = [
    { at: at('09:30:00'), seconds: 60, endedAt: at('09:40:00') },
    { at: at('11:00:00'), seconds: 4800, endedAt: at('11:00:00') },
  ];
  const last = (count: number) =>
    lagPoints(rows, at('11:00:00'), now)
      .slice(-count)
      .map(({ value }) => value);
  expect(last(6)).toEqual([1200, 3000, 4800, 1800, 3600, 4200]);
  expect(lagPoints([], null, now).every(({ value }) => value === null)).toBe(true);
});

test('one bar far above the others is cut', () => {
  expect(topOf([60_000, 300, 310, 290, 320])).toEqual({ top: 1240, isCut: true });
  expect(topOf([500, 300, 310, 290])).toEqual({ top: 500, isCut: false });
  expect(topOf([])).toEqual({ top: 1, isCut: false });
});

test('rows of a sync by operation, over all destinations', async () => {
  const outcome = (counts: object) => tableOutcome.parse({ name: 'orders', status: 'ok', ...counts });
  const sums = sumsOf([
    outcome({ rows_inserted: 2, conflicts: { source: 1, destination: 0, merged: 0 } }),
    outcome({ rows_inserted: 1, rows_deleted: 4, conflicts: { source: 0, destination: 0, merged: 2 } }),
  ]);
  expect(sums).toMatchObject({ inserted: 3, deleted: 4, conflicts: { source: 1, merged: 2 } });
  const text = String(await html`${rowsText(sums)}`)
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll(/\s+/g, ' ');
  expect(text).toContain('+3 inserted');
  expect(text).toContain('3 conflicts (1 source, 2 merged)');
});

test('the speed of a copy, and the time that it needs', () => {
  const progress = {
    ...{
      phases: [
        { phase: 'fence', at: 0 },
        { phase: 'copy', at: 2 },
      ],
      seconds: 12,
      bytes: 5000,
      rows: 100,
    },
    ...{ estimatedRows: 400, action: 'initial', waitsFor: null, chunks: null },
  };
  expect(speedOf(progress)).toEqual({ perSecond: 500, secondsLeft: 30 });
  expect(speedOf({ ...progress, phases: [{ phase: 'merge', at: 2 }] })).toEqual({
    ...{ perSecond: undefined, secondsLeft: undefined },
  });
});

/** Without tags. */
const textOf = async (content: unknown) =>
  String(await content)
    .replaceAll(/<[^>]+>/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();

test('rows that wait: a number, at least a number, or not known; and an old count has its time', async () => {
  const count = { rows: 12_000, isMore: false, at: now };
  expect(await textOf(waitingText(count, now))).toBe('12,000');
  expect(await textOf(waitingText({ ...count, rows: 10_000, isMore: true }, now))).toBe('10,000 or more');
  expect(await textOf(waitingText({ ...count, rows: null }, now))).toBe('not known');
  expect(await textOf(waitingText({ ...count, rows: 0, unknown: 2 }, now))).toBe('0 and 2 tables not known');
  expect(await textOf(waitingText({ ...count, at: at('11:10:00') }, now))).toBe('12,000 60 min ago');
});

test('a schedule that is paused has no next run', async () => {
  const schedule = { seconds: 30, expression: null, timeZone: null, dueAt: at('12:10:12'), problem: null };
  expect(await textOf(dueText(schedule, { isPaused: false, now }))).toBe('every 30s, next in 12 s');
  expect(await textOf(dueText(schedule, { isPaused: true, now }))).toBe('every 30s, paused');
  const wrong = { ...schedule, problem: 'no such day' };
  expect(await textOf(dueText(wrong, { isPaused: false, now }))).toBe('every 30s, no such day');
});
