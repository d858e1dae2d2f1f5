/** Writes `_increp_runs`: one row per run and table, for `status` and for queries. */
import { asIncrepError, IncrepError } from '../errors.ts';
import { firstLine } from '../format.ts';
import type { HistoryStore, TableRecord } from '../report/run-record.ts';
import { COMMIT_HERE } from '../sql/session.ts';
import { addRunColumns, pruneRuns, recordRuns } from '../sql/state.ts';
import type { Database } from './database.ts';
import { SQLSTATE } from './sqlstate.ts';

/** Days. The records of tables without changes are long, and each table has a record of its own every day. */
const KEPT = { days: 90, quietDays: 7 } as const;

/** The name is part of the primary key. */
const asRow = (record: TableRecord) => ({ ...record, table_name: record.table_name ?? '' });

interface DestinationHistory {
  /** A connection of its own, because that of the run is busy with a table, or was closed by a signal. */
  readonly database: Database;
  /** That of the run. It is free when the run ends. */
  readonly runDatabase: Database;
  readonly onFailure: (message: string) => void;
}

/** The history describes the sync and is not part of it. A failure here never changes the result of the run. */
export function destinationHistory({ database, runDatabase, onFailure }: DestinationHistory): HistoryStore {
  const { schema } = database.settings;
  let hasRecords = false;
  let isRunOver = false;
  const connection = () =>
    isRunOver && !database.isConnected && !runDatabase.isStopped ? runDatabase : database;
  const record = (first: readonly string[], rows: string, andThen: readonly string[]) =>
    connection().withWriting([COMMIT_HERE, ...first, recordRuns(schema, rows)], (_, { lastly }) => {
      andThen.forEach(lastly);
      return Promise.resolve();
    });
  const attempt = async (work: () => Promise<unknown>) => {
    try {
      // The connection is idle while a table is synced, and may have been closed.
      if (!(await isDone(work))) await work();
    } catch (error) {
      if (!isNotMadeYet(error))
        onFailure(`the history of runs was not written: ${firstLine(asIncrepError(error).message)}`);
    }
  };
  const write = (records: readonly TableRecord[], andThen: readonly string[] = []) => {
    const rows = JSON.stringify(records.map(asRow));
    hasRecords ||= records.length > 0;
    return attempt(async () => {
      try {
        await record([], rows, andThen);
      } catch (error) {
        if (!lacksColumns(error)) throw error;
        await record([addRunColumns(schema)], rows, andThen);
      }
    });
  };
  return {
    isCheap: false,
    write,
    finish: async (records) => {
      isRunOver = true;
      if (hasRecords || records.length > 0) await write(records, [pruneRuns(schema, KEPT)]);
    },
  };
}

/** False if the connection broke, or if a signal closed the connection of the run. */
async function isDone(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof IncrepError && /^(CONNECTION_LOST|INTERRUPTED)$/.test(error.code)) return false;
    throw error;
  }
}

/** An earlier version created the table. */
const lacksColumns = (error: unknown): boolean =>
  error instanceof IncrepError && error.sqlstate === SQLSTATE.undefinedColumn;

/** If every table was refused from the start, increp created nothing at the destination, including this table. */
const isNotMadeYet = (error: unknown): boolean =>
  error instanceof IncrepError &&
  (error.sqlstate === SQLSTATE.undefinedTable || error.sqlstate === SQLSTATE.invalidSchemaName);
