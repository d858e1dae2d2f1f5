/**
 * Collects what runs do to tables, and hands it to a store of the history: at once, or a few seconds' worth at a time. The run
 * waits for a slow store only at its end.
 */
import type { Listener, TableOutcome } from '../events.ts';
import { quietRecord, tableRecord, type HistoryStore, type TableRecord } from '../report/run-record.ts';
import type { Timing } from '../timing.ts';

interface HistoryListenerOptions {
  readonly store: HistoryStore;
  readonly destinationNameOf: (table: string) => string;
  readonly redact: (text: string) => string;
  /** Milliseconds by which the clock of this machine is ahead. The history has the time of the servers then. */
  readonly clockError: () => number;
  readonly timing: Pick<Timing, 'historyInterval'>;
}

export function historyListener({
  store,
  destinationNameOf,
  redact,
  clockError,
  timing,
}: HistoryListenerOptions): Listener {
  let run: { id: string; pipeline: string; tables: readonly string[] } | undefined;
  let waiting: TableRecord[] = [];
  /** While the run is active, `running.RUN.json` has the names too. */
  let quiet: { readonly name: string; readonly outcome: TableOutcome }[] = [];
  /** Whether this run has written its record of the tables without changes. */
  let hasQuiet = false;
  let writtenAt = performance.now();
  /** Undefined if nothing is being written. */
  let writing: Promise<void> | undefined;
  const take = (current: { readonly id: string; readonly pipeline: string }): readonly TableRecord[] => {
    const records = [...quietRecord(current, quiet, redact), ...waiting];
    waiting = [];
    hasQuiet ||= quiet.length > 0;
    quiet = [];
    writtenAt = performance.now();
    return records;
  };
  const corrected = (at: Date) => new Date(at.getTime() - clockError());
  return async (event) => {
    if (event.type === 'run-started') {
      run = { ...event, id: event.runId };
      hasQuiet = false;
    }
    if (!run) return;
    if (event.type === 'table-finished' && event.outcome.status !== 'skipped') {
      const outcome = { ...event.outcome, startedAt: corrected(event.outcome.startedAt) };
      const name = destinationNameOf(outcome.name);
      if (outcome.isQuiet && !hasQuiet) {
        quiet.push({ name, outcome });
        return;
      }
      const record = tableRecord(run, outcome, name, redact);
      if (store.isCheap) {
        await store.write([record]);
        return;
      }
      waiting.push(record);
      const isDue = performance.now() - writtenAt > timing.historyInterval * 1000;
      const isFailed = outcome.status === 'failed';
      if (!isFailed && (!isDue || writing !== undefined)) return;
      const current = run;
      const turn = (writing ?? Promise.resolve())
        .then(() => store.write(take(current)))
        .finally(() => {
          if (writing === turn) writing = undefined;
        });
      writing = turn;
    }
    if (event.type === 'run-finished') {
      await writing;
      const records = take(run);
      const { startedAt, finishedAt } = event.summary;
      const times = { startedAt: corrected(startedAt), finishedAt: corrected(finishedAt) };
      const end = { summary: { ...event.summary, ...times }, tables: run.tables };
      await store.finish(records, end);
    }
  };
}
