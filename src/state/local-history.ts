/** Keeps the history of runs here as well, where it can be read when the destination is away. */
import type { Listener, RunSummary } from '../events.ts';
import { firstLine } from '../format.ts';
import type { Timing } from '../timing.ts';
import { runError, tableRecord } from '../report/run-record.ts';
import { runSeconds } from '../report/summary-json.ts';
import { appendHistory, type NewRecord } from './history-file.ts';

interface LocalHistoryOptions {
  /** Of the state. */
  readonly directory: string;
  readonly destinationNameOf: (table: string) => string;
  readonly redact: (text: string) => string;
  readonly onFailure: (message: string) => void;
  readonly timing: Pick<Timing, 'historyInterval'>;
}

/** A record of the work, not a part of it: what fails here is said once and changes nothing. */
export function localHistoryListener(options: LocalHistoryOptions): Listener {
  const { directory, destinationNameOf, redact, timing } = options;
  let run: { id: string; pipeline: string; tables: readonly string[] } | undefined;
  let waiting: NewRecord[] = [];
  let writtenAt = performance.now();
  let hasFailed = false;
  const write = async () => {
    const records = waiting;
    waiting = [];
    writtenAt = performance.now();
    if (records.length === 0 || hasFailed) return;
    try {
      await appendHistory(directory, records);
    } catch (error) {
      hasFailed = true;
      options.onFailure(`the history in ${directory} was not written: ${firstLine(String(error))}`);
    }
  };
  return async (event) => {
    if (event.type === 'run-started') run = { ...event, id: event.runId };
    if (event.type === 'table-finished' && run && event.outcome.status !== 'skipped') {
      const table = destinationNameOf(event.outcome.name);
      waiting.push(tableRecord(run, event.outcome, table, redact));
      if (event.outcome.status === 'failed' || performance.now() - writtenAt > timing.historyInterval * 1000)
        await write();
    }
    if (event.type === 'run-finished' && run) {
      const { summary } = event;
      // Then there is no writing here either, and the run says so.
      if (summary.error?.code === 'STATE_NOT_WRITABLE') return;
      if (summary.error) waiting.push(failedRun(summary, summary.error, unreached(run.tables, summary)));
      await write();
    }
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
