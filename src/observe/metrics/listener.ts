/** Writes METRICS_TEXTFILE at the end of a run. Whatever goes wrong here never changes the run's result. */
import { dirname } from 'node:path';
import type { Listener, RunSummary } from '../../events.ts';
import { labelOf } from '../../format.ts';
import { hasCode, replaceFile } from '../../replace-file.ts';
import { withRun, type Counters } from '../../schema/counters.ts';
import { exposition } from './exposition.ts';
import { familiesOf, type TableMetrics } from './families.ts';

/** node_exporter runs as another user. */
const READABLE_BY_ALL = 0o644;

export interface MetricsOptions {
  /** Absolute. */
  readonly path: string;
  readonly version: string;
  /** Labels of every table in the configuration, those that are disabled too: what is counted of them is kept. */
  readonly configured: readonly string[];
  /** What is known when the run has ended, of the tables that are enabled. */
  readonly tables: () => Promise<readonly TableMetrics[]>;
  readonly exitCodeOf: (summary: RunSummary) => number;
  /** Keeps what was counted; resolves to what is wrong with that. */
  readonly keep: (
    change: (counters: Counters) => Counters,
    use: (counters: Counters | undefined) => Promise<void>,
  ) => Promise<string | undefined>;
  readonly onFailure: (message: string) => void;
}

export function metricsListener(options: MetricsOptions): Listener {
  const { path, version, configured, exitCodeOf, keep, onFailure } = options;
  let started: readonly string[] = [];
  const write = async (summary: RunSummary) => {
    const tables = await options.tables();
    const asked = tables.filter(({ name }) => started.includes(name)).map(labelOf);
    const trouble = await keep(
      (counters) => withRun(counters, { summary, configured, asked }),
      async (counters) => {
        const metrics = { version, summary, exitCode: exitCodeOf(summary), counters, tables };
        await replaceFile(path, exposition(familiesOf(metrics)), READABLE_BY_ALL);
      },
    );
    if (trouble !== undefined) onFailure(`the counters of METRICS_TEXTFILE were not kept: ${trouble}`);
  };
  return async (event) => {
    if (event.type === 'run-started') started = event.tables;
    if (event.type !== 'run-finished') return;
    await write(event.summary).catch((error: unknown) =>
      onFailure(`the metrics were not written to ${path}: ${reasonOf(error, path)}`),
    );
  };
}

/** What to do about it, where that is known. */
function reasonOf(error: unknown, path: string): string {
  const folder = dirname(path);
  if (hasCode(error, 'ENOENT', 'ENOTDIR'))
    return `${folder} is not a directory; make it, or correct METRICS_TEXTFILE`;
  if (hasCode(error, 'EISDIR')) return 'it is a directory; name a file in METRICS_TEXTFILE';
  if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) {
    return `increp may not write to ${folder}; give its user the right to make files there`;
  }
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) return `${folder} is full; make room there`;
  return error instanceof Error ? error.message : String(error);
}
