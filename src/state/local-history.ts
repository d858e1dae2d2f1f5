/** Keeps the history of runs here as well, where it can be read when the destination is away. */
import type { RunSummary } from '../events.ts';
import { firstLine } from '../format.ts';
import { runError, type HistoryStore } from '../report/run-record.ts';
import { runSeconds } from '../report/summary-json.ts';
import { appendHistory, type NewRecord } from './history-file.ts';

interface LocalHistory {
  /** Of the state. */
  readonly directory: string;
  readonly destinationNameOf: (table: string) => string;
  readonly redact: (text: string) => string;
  readonly onFailure: (message: string) => void;
}

/** A record of the sync, not a part of it: a failure here is reported once and changes nothing. */
export function localHistory({
  directory,
  destinationNameOf,
  redact,
  onFailure,
}: LocalHistory): HistoryStore {
  let hasFailed = false;
  const write = async (records: readonly NewRecord[]) => {
    if (records.length === 0 || hasFailed) return;
    try {
      await appendHistory(directory, records);
    } catch (error) {
      hasFailed = true;
      onFailure(`the history in ${directory} was not written: ${firstLine(String(error))}`);
    }
  };
  return {
    write,
    finish: async (records, { summary, tables }) => {
      const { error } = summary;
      // Then nothing can be written here either, and the run reports that.
      if (error?.code === 'STATE_NOT_WRITABLE') return;
      await write(error ? [...records, failedRun(summary, error, unreached(tables, summary))] : records);
    },
  };

  function failedRun(
    summary: RunSummary,
    error: NonNullable<RunSummary['error']>,
    tables: readonly string[],
  ): NewRecord {
    return {
      run_id: summary.runId,
      pipeline: summary.pipeline,
      started_at: summary.startedAt.toISOString(),
      duration_s: runSeconds(summary),
      ...runError(error, redact),
      tables: tables.map(destinationNameOf),
    };
  }
}

const unreached = (tables: readonly string[], summary: RunSummary): string[] =>
  tables.filter((table) => !summary.tables.some(({ name }) => name === table));
