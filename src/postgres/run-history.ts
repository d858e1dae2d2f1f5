/** `_increp_runs`: one row a run and table, for `status` and for anyone with SQL. */
import { IncrepError } from '../errors.ts';
import type { Listener, TableOutcome } from '../events.ts';
import { firstLine } from '../format.ts';
import { pruneRuns, recordRun } from '../sql/state.ts';
import type { Database } from './database.ts';

const KEEP_DAYS = 90;

interface HistoryOptions {
  /** A connection of its own, which outlives the one that a signal has ended. */
  readonly database: Database;
  readonly destinationNameOf: (table: string) => string;
  readonly redact: (text: string) => string;
  readonly onFailure: (message: string) => void;
}

/** History is a record of the work, not a part of it: what fails here never changes the result of the run. */
export function historyListener({
  database,
  destinationNameOf,
  redact,
  onFailure,
}: HistoryOptions): Listener {
  let run: { id: string; pipeline: string } | undefined;
  let isThere = false;
  const write = (statement: string, values: unknown[]) =>
    database.withWriting((client) => client.query(statement, values));
  const attempt = async (work: () => Promise<unknown>) => {
    try {
      // Its connection is idle for as long as a table takes, and may be found dead.
      if (!(await isDone(work))) await work();
    } catch (error) {
      if (!isNotMadeYet(error)) onFailure(`the history of runs was not written: ${firstLine(String(error))}`);
    }
  };
  return async (event) => {
    if (event.type === 'run-started') run = { id: event.runId, pipeline: event.pipeline };
    if (event.type === 'table-finished' && run && event.outcome.status !== 'skipped') {
      const values = rowOf(run, event.outcome, destinationNameOf(event.outcome.name), redact);
      isThere = true;
      const { schema } = database.settings;
      await attempt(() => write(recordRun(schema), values));
    }
    if (event.type === 'run-finished' && isThere) {
      await attempt(() => write(pruneRuns(database.settings.schema), [KEEP_DAYS]));
    }
  };
}

/** False when the connection broke. */
async function isDone(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof IncrepError && error.code === 'CONNECTION_LOST') return false;
    throw error;
  }
}

/** Where every table was refused from the start, nothing was made at the destination, this table included. */
const isNotMadeYet = (error: unknown): boolean =>
  error instanceof IncrepError && (error.sqlstate === '42P01' || error.sqlstate === '3F000');

const rowOf = (
  run: { id: string; pipeline: string },
  outcome: TableOutcome,
  table: string,
  redact: (text: string) => string,
): unknown[] => [
  run.id,
  run.pipeline,
  table,
  outcome.status,
  outcome.action,
  redact(outcome.reason),
  outcome.startedAt.toISOString(),
  outcome.durationSeconds,
  outcome.rowsRead,
  outcome.rowsInserted,
  outcome.rowsUpdated,
  outcome.rowsUnchanged,
  outcome.rowsDeleted,
  outcome.bytes,
  outcome.cursorBefore,
  outcome.cursor,
  outcome.warnings.map(redact),
  outcome.error?.code ?? null,
  outcome.error ? redact(outcome.error.message) : null,
  outcome.error ? redact(outcome.error.hint) : null,
  outcome.error?.sqlstate ?? null,
];
