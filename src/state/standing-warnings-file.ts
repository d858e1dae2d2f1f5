/** `sync-state/reported.warnings.json`: the warnings that quiet runs have reported. */
import { standingWarningsSchema, type StandingWarning } from '../schema/standing-warnings.ts';
import { readOptional, writeOptional } from './optional-file.ts';

/** No table's state has this name: a full stop in a table's name is encoded. */
export const REPORTED_WARNINGS_FILE = 'reported.warnings.json';

/** A file that cannot be read counts as empty: then a warning is reported once more than needed. */
export const readReportedWarnings = async (directory: string): Promise<readonly StandingWarning[]> =>
  (await readOptional(directory, REPORTED_WARNINGS_FILE, standingWarningsSchema))?.warnings ?? [];

export const writeReportedWarnings = (
  directory: string,
  warnings: readonly StandingWarning[],
): Promise<void> => writeOptional(directory, REPORTED_WARNINGS_FILE, { format: 1, warnings });
