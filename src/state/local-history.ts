/** Keeps a local history of runs, which can be read while the destination cannot be reached. */
import { join } from 'node:path';
import type { RunSummary } from '../events.ts';
import { firstLine } from '../format.ts';
import { fileFault, hasCode } from '../system-fault.ts';
import { runError, type HistoryStore } from '../report/run-record.ts';
import { runSeconds } from '../report/summary-json.ts';
import { accessAdvice, spaceAdvice } from './state-files.ts';
import { appendHistory, HISTORY_FILES, type NewRecord } from './history-file.ts';

interface LocalHistory {
  /** The state directory. */
  readonly directory: string;
  readonly destinationNameOf: (table: string) => string;
  readonly redact: (text: string) => string;
  readonly onFailure: (message: string) => void;
}

/** The history is not part of the sync: a failure is reported once, and the run continues. */
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
      onFailure(
        `the history in ${directory} was not written: ${firstLine(fileFault(error))}. ${nextStep(directory, error)}`,
      );
    }
  };
  return {
    isCheap: true,
    write,
    finish: async (records, { summary, tables }) => {
      const { error } = summary;
      // The history is in the same directory, and the run already reports that it is not writable.
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

/** A run as root, or a full disk, is the usual cause. */
const nextStep = (directory: string, error: unknown): string =>
  hasCode(error, 'EACCES', 'EPERM')
    ? accessAdvice(directory, join(directory, HISTORY_FILES[0]))
    : ['The sync itself is not affected.', spaceAdvice(directory, error)].filter(Boolean).join(' ');

const unreached = (tables: readonly string[], summary: RunSummary): string[] =>
  tables.filter((table) => !summary.tables.some(({ name }) => name === table));
