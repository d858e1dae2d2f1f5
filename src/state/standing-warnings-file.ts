/** `sync-state/reported.warnings.json`: the warnings that quiet runs and the webhook have reported. */
import { standingWarningsSchema, type StandingWarning } from '../schema/standing-warnings.ts';
import { changeOptional, readOptional } from './optional-file.ts';

/** No table's state has this name: a full stop in a table's name is encoded. */
export const REPORTED_WARNINGS_FILE = 'reported.warnings.json';

/** `warnings` are those of quiet runs. */
export type WarningReader = 'warnings' | 'webhook';

/** A file that cannot be read counts as empty: then a warning is reported once more than needed. */
export const readReportedWarnings = async (
  directory: string,
  reader: WarningReader,
): Promise<readonly StandingWarning[]> =>
  (await readOptional(directory, REPORTED_WARNINGS_FILE, standingWarningsSchema))?.[reader] ?? [];

export const changeReportedWarnings = (
  directory: string,
  reader: WarningReader,
  change: (known: readonly StandingWarning[]) => readonly StandingWarning[],
): Promise<void> =>
  changeOptional({
    ...{ directory, name: REPORTED_WARNINGS_FILE, schema: standingWarningsSchema },
    change: (found = { format: 1 as const, warnings: [], webhook: [] }) => ({
      ...found,
      [reader]: [...change(found[reader])],
    }),
  });
