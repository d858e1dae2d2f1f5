import { expect, test } from 'vitest';
import { type RunEvent } from '../../../src/events.ts';
import { jsonListener } from '../../../src/observe/json-lines.ts';
import { redactor } from '../../../src/redact.ts';
import { summaryToJson, tableToJson } from '../../../src/report/summary-json.ts';
import { failure, outcome, STARTED, summary } from '../report/outcomes.ts';

test('a table that went well', () => {
  const loaded = outcome({ action: 'initial', loader: 'copy', rowsRead: 7, rowsInserted: 7, bytes: 99 });
  expect(tableToJson(loaded)).toEqual({
    name: 'orders',
    status: 'ok',
    action: 'initial',
    reason: 'the cursor is known',
    loader: 'copy',
    rows_read: 7,
    rows_inserted: 7,
    rows_updated: 0,
    rows_unchanged: 0,
    rows_deleted: 0,
    rows_newer: 0,
    conflicts: null,
    bytes: 99,
    duration_s: 0.4,
    cursor: '2026-03-01 09:59:59.123456+00',
    warnings: [],
    error: null,
  });
});

test('a failure carries code, message, hint and sqlstate, and not the exit code', () => {
  const failed = tableToJson(outcome({ status: 'failed', error: failure() }));
  expect(failed.error).toEqual({
    code: 'PRIVILEGE_MISSING',
    message: 'permission denied for table items',
    hint: 'GRANT SELECT ON items TO reader;',
    sqlstate: '42501',
  });
});

test('a summary has times in UTC and seconds', () => {
  expect(summaryToJson(summary({ tables: [outcome()] }))).toMatchObject({
    type: 'summary',
    format_version: 1,
    run_id: 'run-1',
    pipeline: 'shop',
    status: 'ok',
    started_at: '2026-03-01T10:00:00.000Z',
    finished_at: '2026-03-01T10:00:04.200Z',
    duration_s: 4.2,
    tables: [{ name: 'orders' }],
    error: null,
  });
});

const events: RunEvent[] = [
  { type: 'run-started', runId: 'run-1', pipeline: 'shop', startedAt: STARTED, tables: ['orders'] },
  {
    type: 'table-planned',
    table: 'orders',
    action: 'initial',
    reasons: [{ code: 'adopted' }],
    estimatedRows: undefined,
  },
  { type: 'phase-started', table: 'orders', phase: 'copy' },
  { type: 'rows-copied', table: 'orders', bytes: 5 },
  { type: 'warning', table: undefined, message: 'careful' },
  { type: 'table-finished', outcome: outcome({ warnings: ['line one\nhunter2"x'] }) },
  { type: 'run-finished', summary: summary({ tables: [outcome()] }) },
];

test('sync --json writes one object a line and ends with the summary', async () => {
  const lines: string[] = [];
  const listen = jsonListener((line) => lines.push(line));
  for (const event of events) await listen(event);
  expect(lines.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true);
  const parsed = lines.map((line) => JSON.parse(line) as { type: string });
  expect(parsed.map(({ type }) => type)).toEqual(['run_started', 'table_planned', 'table', 'summary']);
  expect(parsed[1]).toEqual({
    type: 'table_planned',
    name: 'orders',
    action: 'initial',
    reason: 'the destination table is adopted: compared with the source by key',
    estimated_rows: null,
  });
});

test('the lines stay valid JSON when a secret with quotes is taken out', async () => {
  const lines: string[] = [];
  const listen = jsonListener((line) => lines.push(line), redactor(['hunter2"x']));
  for (const event of events) await listen(event);
  expect(JSON.parse(lines[2] ?? '')).toMatchObject({ warnings: ['line one\n***'] });
});
