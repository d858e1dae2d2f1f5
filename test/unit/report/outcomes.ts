/** Outcomes to begin with; a test names only what it is about. */
import { NO_ROWS, type Failure, type RunSummary, type TableOutcome } from '../../../src/events.ts';
import type { Style } from '../../../src/report/style.ts';
import { formatEnding, summaryByTable } from '../../../src/report/summary.ts';

export const STARTED = new Date('2026-03-01T10:00:00.000Z');

export function outcome(changes: Partial<TableOutcome> = {}): TableOutcome {
  return {
    name: 'orders',
    status: 'ok',
    action: 'incremental',
    reasons: [{ code: 'cursor-known' }],
    ...NO_ROWS,
    durationSeconds: 0.4,
    cursor: '2026-03-01 09:59:59.123456+00',
    cursorBefore: null,
    startedAt: STARTED,
    warnings: [],
    error: undefined,
    ...changes,
  };
}

export function failure(changes: Partial<Failure> = {}): Failure {
  return {
    code: 'PRIVILEGE_MISSING',
    message: 'permission denied for table items',
    hint: 'GRANT SELECT ON items TO reader;',
    sqlstate: '42501',
    exitCode: 77,
    ...changes,
  };
}

export function summary(changes: Partial<RunSummary> = {}): RunSummary {
  return {
    runId: 'run-1',
    pipeline: 'shop',
    status: 'ok',
    startedAt: STARTED,
    finishedAt: new Date(STARTED.getTime() + 4200),
    tables: [],
    error: undefined,
    warnings: [],
    ...changes,
  };
}

/** All that a run prints. */
export function printed(ended: RunSummary, style: Style): string {
  const lines = summaryByTable(() => style);
  const names = [...new Set(ended.tables.map(({ name }) => name))];
  const places = ended.destinations?.map(({ name }) => name);
  const started = { type: 'run-started', tables: names, ...(places && { destinations: places }) } as const;
  const { runId, pipeline, startedAt } = ended;
  lines({ ...started, runId, pipeline, startedAt });
  const told = ended.tables.map((table) => lines({ type: 'table-finished', outcome: table }));
  return `${told.join('')}${formatEnding(ended, ended.tables.length, style)}`;
}

export const plain = { color: false, width: Infinity, isUnicode: true };
export const mixed = summary({
  status: 'partial',
  tables: [
    outcome({ rowsRead: 1200, rowsInserted: 1000, rowsUpdated: 4, rowsUnchanged: 196, bytes: 12_345 }),
    outcome({
      name: 'customers',
      action: 'initial',
      reasons: [{ code: 'no-destination-table' }],
      loader: 'copy',
      rowsRead: 9,
      rowsInserted: 9,
      bytes: 80,
      warnings: ['2 rows have no key'],
    }),
    outcome({ name: 'items', status: 'failed', error: failure({ message: 'denied\nDETAIL: no' }) }),
    outcome({ name: 'old', status: 'skipped', action: 'skipped', reasons: [{ code: 'disabled' }] }),
  ],
  warnings: ['the source is a standby'],
});
