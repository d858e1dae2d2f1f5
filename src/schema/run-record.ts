/** The record of one run of one table in the history: a row of `_increp_runs`, or a line of `history.jsonl`. */
import * as z from 'zod';

const count = z.number().default(0);
const text = z.string().nullable().default(null);

/** Fields with the default value may be absent. */
export const runRecordSchema = z.object({
  run_id: z.string(),
  pipeline: z.string(),
  /**
   * The destination table, with its schema in front if that is not DEST_SCHEMA. Null if the record is about `tables`.
   * In the destination the name is empty then.
   */
  table_name: text.transform((name) => (name === '' ? null : name)),
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
  /** Null in rows of older versions. */
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
  /**
   * If the run is ok, the tables without changes, which share one record. If the run failed outside of a table, the tables
   * that it did not start; only the files have that record. Null in rows of single tables.
   */
  tables: z
    .array(z.string())
    .readonly()
    .nullable()
    .default([])
    .transform((names) => names ?? []),
});
export type RunRecord = Readonly<z.infer<typeof runRecordSchema>>;

/** Rows of the destination table that a run has changed. */
export const rowsChanged = (record: RunRecord): number =>
  record.rows_inserted + record.rows_updated + record.rows_deleted;
