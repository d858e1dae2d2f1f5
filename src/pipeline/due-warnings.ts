/** The warnings of a run that are due for a reader: a warning that stays would be reported after every run. */
import type { RunSummary } from '../events.ts';
import { labelOf } from '../format.ts';
import { warningsIn } from '../report/run-warnings.ts';
import { reportDue, type CurrentWarning } from '../schema/standing-warnings.ts';
import {
  changeReportedWarnings,
  readReportedWarnings,
  type WarningReader,
} from '../state/standing-warnings-file.ts';

export interface DueWarnings {
  readonly due: readonly CurrentWarning[];
  /** Records that they were reported. */
  readonly remember: () => Promise<void>;
}

export async function dueWarnings(
  summary: RunSummary,
  directory: string,
  reader: WarningReader,
): Promise<DueWarnings> {
  const known = await readReportedWarnings(directory, reader);
  const current = warningsIn(summary);
  if (current.length === 0 && known.length === 0) return { due: current, remember: () => Promise.resolve() };
  const tables = new Set(summary.tables.map(labelOf));
  const reportAfter = (before: typeof known) =>
    reportDue({ known: before, current, tables, now: summary.finishedAt });
  // What the configuration is warned of may be why a run ends before its tables.
  const isBroken = summary.error !== undefined && summary.error.code !== 'RUN_LOCKED';
  const ofRun = isBroken ? current.filter(({ table }) => table === null) : [];
  return {
    due: [...new Set([...reportAfter(known).due, ...ofRun])],
    remember: () => changeReportedWarnings(directory, reader, (before) => reportAfter(before).known),
  };
}
