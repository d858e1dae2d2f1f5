/** What the live line tells where there are several destinations. */
import { expect, test } from 'vitest';
import type { RunEvent } from '../../../src/events.ts';
import { shownViews, viewsAfter, type Views } from '../../../src/observe/progress-views.ts';
import { outcome } from '../report/outcomes.ts';

const event = (destination: string, table: string): RunEvent => ({
  type: 'table-planned',
  ...{ destination, table, action: 'incremental', reasons: [], estimatedRows: undefined },
});
const finished = (destination: string, name: string): RunEvent => ({
  type: 'table-finished',
  outcome: outcome({ destination, name }),
});
const shownAfter = (...events: RunEvent[]) => {
  const started: RunEvent = {
    ...{ type: 'run-started', runId: 'r', pipeline: 'p', startedAt: new Date() },
    ...{ tables: ['orders', 'items'], destinations: ['one', 'two'] },
  };
  const [view, ...others] = shownViews(
    [started, ...events].reduce<Views>((views, next) => viewsAfter(views, next, 0), new Map()),
  );
  expect(others).toEqual([]);
  return view;
};

test('the line tells of the one that is furthest behind, and counts the tables of all', () => {
  expect(shownAfter()).toMatchObject({ total: 4, finished: 0, table: undefined });
  expect(shownAfter(event('one', 'orders'), event('two', 'orders'))).toMatchObject({ table: 'one: orders' });
  const later = shownAfter(
    event('one', 'orders'),
    event('two', 'orders'),
    finished('one', 'orders'),
    event('one', 'items'),
  );
  expect(later).toMatchObject({ table: 'two: orders', finished: 1 });
});
