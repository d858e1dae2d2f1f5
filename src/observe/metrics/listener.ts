/** Writes METRICS_TEXTFILE at the end of a run. A failure here never changes the result of the run. */
import { dirname } from 'node:path';
import type { Listener, RunSummary } from '../../events.ts';
import { labelOf } from '../../format.ts';
import { replaceFile } from '../../replace-file.ts';
import { fileFault, hasCode } from '../../system-fault.ts';
import { withRun, type Counters } from '../../schema/counters.ts';
import { exposition } from './exposition.ts';
import { familiesOf, type TableMetrics } from './families.ts';

/** node_exporter runs as another user. */
export const READABLE_BY_ALL = 0o644;

export interface MetricsOptions {
  /** Absolute. */
  readonly path: string;
  readonly version: string;
  /** Labels of every configured table, including disabled tables, so that their counters are kept. */
  readonly configured: readonly string[];
  /** The state of the enabled tables at the end of the run. */
  readonly tables: () => Promise<readonly TableMetrics[]>;
  readonly exitCodeOf: (summary: RunSummary) => number;
  /** Saves the counters. Resolves to the reason if they cannot be saved. */
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
    const fault = await keep(
      (counters) => withRun(counters, { summary, configured, asked }),
      async (counters) => {
        const metrics = { version, summary, exitCode: exitCodeOf(summary), counters, tables };
        await replaceFile(path, exposition(familiesOf(metrics)), READABLE_BY_ALL);
      },
    );
    if (fault !== undefined) onFailure(`the counters of METRICS_TEXTFILE were not saved: ${fault}`);
  };
  return async (event) => {
    if (event.type === 'run-started') started = event.tables;
    if (event.type !== 'run-finished') return;
    await write(event.summary).catch((error: unknown) =>
      onFailure(`the metrics were not written to ${path}: ${reasonOf(error, path)}`),
    );
  };
}

/** Describes the cause and the fix if they are known. */
function reasonOf(error: unknown, path: string): string {
  const folder = dirname(path);
  if (hasCode(error, 'ENOENT', 'ENOTDIR'))
    return `${folder} is not a directory; create it, or correct METRICS_TEXTFILE`;
  if (hasCode(error, 'EISDIR')) return 'it is a directory; name a file in METRICS_TEXTFILE';
  if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) {
    return `increp may not write to ${folder}; allow its user to create files there`;
  }
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) return `${folder} is full; free some space there`;
  return fileFault(error);
}
