/** One run of a table, or the failure of a run, as the history keeps it. */
import type { Failure, RunSummary, TableOutcome } from '../events.ts';
import { MANY_TABLES } from '../format.ts';
import type { Redact } from '../redact.ts';
import type { RunRecord } from '../schema/run-record.ts';
import { reasonText } from './reasons.ts';
import { countsToJson } from './summary-json.ts';

interface RecordedRun {
  readonly id: string;
  readonly pipeline: string;
}

/** What a run did to one table, or to the tables without changes. */
export type TableRecord = Omit<RunRecord, 'tables' | 'warned_tables' | 'was_killed'> &
  Partial<Pick<RunRecord, 'tables' | 'warned_tables'>>;

/** Where the history of runs is kept. If a store fails, that is a warning, and changes nothing about the run. */
export interface HistoryStore {
  /** Whether a write costs next to nothing. Then each record is written at once, so that it survives the end of the process. */
  readonly isCheap: boolean;
  readonly write: (records: readonly TableRecord[]) => Promise<void>;
  /** At the end of the run: the last records, and what came of the run and its `tables`. */
  readonly finish: (
    records: readonly TableRecord[],
    run: { readonly summary: RunSummary; readonly tables: readonly string[] },
  ) => Promise<void>;
}

export const tableRecord = (
  run: RecordedRun,
  outcome: TableOutcome,
  table: string | null,
  redact: Redact,
): TableRecord => ({
  run_id: run.id,
  pipeline: run.pipeline,
  table_name: table,
  status: outcome.status === 'failed' ? 'failed' : 'ok',
  action: outcome.action,
  reason: redact(reasonText(outcome.reasons)),
  started_at: outcome.startedAt.toISOString(),
  duration_s: outcome.durationSeconds,
  ...countsToJson(outcome),
  cursor_before: outcome.cursorBefore,
  cursor_after: outcome.cursor,
  warnings: outcome.warnings.map(redact),
  ...errorOf(outcome.error, redact),
});

/** The tables without changes share one record, because there may be thousands of them at every run. */
export function quietRecord(
  run: RecordedRun,
  tables: readonly { readonly name: string; readonly outcome: TableOutcome }[],
  redact: Redact,
): TableRecord[] {
  const [first] = tables;
  if (!first) return [];
  const durationSeconds = tables.reduce((sum, { outcome }) => sum + outcome.durationSeconds, 0);
  const warnings = [...new Set(tables.flatMap(({ outcome }) => outcome.warnings))];
  const shared = {
    ...first.outcome,
    reasons: [],
    cursor: null,
    cursorBefore: null,
    durationSeconds,
    warnings,
  };
  const record = { ...tableRecord(run, shared, null, redact), tables: tables.map(({ name }) => name) };
  return [warnings.length === 0 ? record : { ...record, warned_tables: warnedTables(tables, redact) }];
}

/** A warning about all of many tables has no list. */
function warnedTables(tables: Parameters<typeof quietRecord>[1], redact: Redact) {
  const named = tables.flatMap(({ name, outcome }) =>
    [...new Set(outcome.warnings)].map((text) => ({ name, text: redact(text) })),
  );
  return Object.fromEntries(
    [...Map.groupBy(named, ({ text }) => text)]
      .filter(([, { length }]) => length <= MANY_TABLES || length < tables.length)
      .map(([text, same]) => [text, same.map(({ name }) => name)]),
  );
}

/** Of the failure of a run itself. */
export const runError = (failure: Failure, redact: Redact) => ({
  status: 'failed' as const,
  action: 'skipped',
  ...errorOf(failure, redact),
});

const errorOf = (error: Failure | undefined, redact: Redact) => ({
  error_code: error?.code ?? null,
  error_message: error ? redact(error.message) : null,
  error_hint: error ? redact(error.hint) : null,
  sqlstate: error?.sqlstate ?? null,
});
