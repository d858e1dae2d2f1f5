/** `_increp_runs`: one row a run and table, for `status` and for anyone with SQL; written a few seconds' worth at a time. */
import { IncrepError } from '../errors.ts';
import type { Listener } from '../events.ts';
import { firstLine } from '../format.ts';
import type { Timing } from '../timing.ts';
import { tableRecord } from '../report/run-record.ts';
import { COMMIT_HERE } from '../sql/session.ts';
import { addRunColumns, pruneRuns, recordRuns, type RunRow } from '../sql/state.ts';
import type { Database } from './database.ts';

const KEEP_DAYS = 90;

interface HistoryOptions {
  /** A connection of its own, which outlives the one that a signal has ended. */
  readonly database: Database;
  readonly destinationNameOf: (table: string) => string;
  readonly redact: (text: string) => string;
  readonly onFailure: (message: string) => void;
  readonly timing: Pick<Timing, 'historyInterval'>;
}

/** History is a record of the work, not a part of it: what fails here never changes the result of the run. */
export function historyListener({
  database,
  destinationNameOf,
  redact,
  onFailure,
  timing,
}: HistoryOptions): Listener {
  let run: { id: string; pipeline: string } | undefined;
  let waiting: RunRow[] = [];
  let writtenAt = performance.now();
  let isThere = false;
  const { schema } = database.settings;
  const attempt = async (work: () => Promise<unknown>) => {
    try {
      // Its connection is idle for as long as a table takes, and may be found dead.
      if (!(await isDone(work))) await work();
    } catch (error) {
      if (!isNotMadeYet(error)) onFailure(`the history of runs was not written: ${firstLine(String(error))}`);
    }
  };
  const write = async (andThen: readonly string[] = []) => {
    const rows = JSON.stringify(waiting);
    waiting = [];
    writtenAt = performance.now();
    await attempt(async () => {
      try {
        await record([], rows, andThen);
      } catch (error) {
        if (!lacksColumns(error)) throw error;
        await record([addRunColumns(schema)], rows, andThen);
      }
    });
  };
  const record = (first: readonly string[], rows: string, andThen: readonly string[]) =>
    database.withWriting([COMMIT_HERE], async (client, transaction) => {
      for (const statement of first) await client.query(statement);
      await client.query(recordRuns(schema), [rows]);
      andThen.forEach(transaction.lastly);
    });
  return async (event) => {
    if (event.type === 'run-started') run = { id: event.runId, pipeline: event.pipeline };
    if (event.type === 'table-finished' && run && event.outcome.status !== 'skipped') {
      isThere = true;
      waiting.push(tableRecord(run, event.outcome, destinationNameOf(event.outcome.name), redact));
      const isDue =
        event.outcome.status === 'failed' || performance.now() - writtenAt > timing.historyInterval * 1000;
      if (isDue) await write();
    }
    if (event.type === 'run-finished' && isThere) await write([pruneRuns(schema, KEEP_DAYS)]);
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

/** An earlier version has made the table. */
const lacksColumns = (error: unknown): boolean => error instanceof IncrepError && error.sqlstate === '42703';

/** Where every table was refused from the start, nothing was made at the destination, this table included. */
const isNotMadeYet = (error: unknown): boolean =>
  error instanceof IncrepError && (error.sqlstate === '42P01' || error.sqlstate === '3F000');
