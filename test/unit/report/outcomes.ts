/** Outcomes to begin with; a test names only what it is about. */
import { NO_ROWS, type Failure, type RunSummary, type TableOutcome } from '../../../src/events.ts';

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
