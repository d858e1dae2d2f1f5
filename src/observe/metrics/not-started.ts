/** Changes METRICS_TEXTFILE after a run that could not start, so its tables are not known. */
import { readFile } from 'node:fs/promises';
import type { RunSummary } from '../../events.ts';
import { replaceFile } from '../../replace-file.ts';
import { READABLE_BY_ALL } from './listener.ts';

/** The metrics of tables and all counters stay as they are. Without an earlier run, there is no file to change. */
export async function markNotStarted(
  path: string,
  { finishedAt }: RunSummary,
  exitCode: number,
): Promise<void> {
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before === undefined) return;
  const values = {
    increp_last_run_timestamp_seconds: finishedAt.getTime() / 1000,
    increp_last_run_duration_seconds: 0,
    increp_last_run_success: 0,
    increp_last_run_exit_code: exitCode,
    increp_last_run_tables_deferred: 0,
  };
  let text = before;
  for (const [name, value] of Object.entries(values))
    text = text.replace(new RegExp(`^(${name}\\{.*\\}) \\S+$`, 'm'), (_, series) => `${series} ${value}`);
  await replaceFile(path, text, READABLE_BY_ALL).catch(() => undefined);
}
