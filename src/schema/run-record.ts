/** What one run did to one table, as the history keeps it: a row of `_increp_runs`, a line of `history.jsonl`. */
import { z } from 'zod';

const count = z.number().default(0);
const text = z.string().nullable().default(null);

/** What is usual may be left out. */
export const runRecordSchema = z.object({
  run_id: z.string(),
  pipeline: z.string(),
  /** Of the copy: its table, behind its schema where that is not DEST_SCHEMA. Null: the run itself failed, before or outside of a table; in the files only. */
  table_name: text,
  status: z.enum(['ok', 'failed']).default('ok'),
  action: z.string().default('incremental'),
  reason: z.string().default(''),
  /** RFC 3339. */
  started_at: z.string(),
  duration_s: count,
  rows_read: count,
  rows_inserted: count,
  rows_updated: count,
  rows_unchanged: count,
  rows_deleted: count,
  /** Null in rows from before it was counted. */
  rows_newer: z
    .number()
    .nullable()
    .default(0)
    .transform((rows) => rows ?? 0),
  bytes: count,
  cursor_before: text,
  cursor_after: text,
  warnings: z.array(z.string()).readonly().default([]),
  error_code: text,
  error_message: text,
  error_hint: text,
  sqlstate: text,
  /** The tables that a failed run did not come to. In the files only. */
  tables: z.array(z.string()).readonly().default([]),
});
export type RunRecord = Readonly<z.infer<typeof runRecordSchema>>;

/** Rows of the copy that a run has changed. */
export const rowsChanged = (record: RunRecord): number =>
  record.rows_inserted + record.rows_updated + record.rows_deleted;
