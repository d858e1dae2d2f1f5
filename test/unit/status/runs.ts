import { runRecordSchema, type RunRecord } from '../../../src/schema/run-record.ts';

/** Of table "orders", begun so many minutes after midnight. */
export const runAt = (minutes: number, more: Partial<RunRecord> = {}): RunRecord => ({
  ...runRecordSchema.parse({
    run_id: `run-${minutes}`,
    pipeline: 'shop',
    table_name: 'orders',
    started_at: new Date(Date.UTC(2026, 0, 2, 0, minutes)).toISOString(),
    duration_s: 1,
  }),
  ...more,
});

export const failedAt = (minutes: number, more: Partial<RunRecord> = {}): RunRecord =>
  runAt(minutes, { status: 'failed', error_code: 'TIMEOUT', ...more });
