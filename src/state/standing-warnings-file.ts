/** `sync-state/reported.warnings.json`: the warnings that quiet runs have reported. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../replace-file.ts';
import { standingWarningsSchema, type StandingWarning } from '../schema/standing-warnings.ts';

/** No table's state has this name: a full stop in a table's name is encoded. */
export const REPORTED_WARNINGS_FILE = 'reported.warnings.json';

/** A file that cannot be read counts as empty: then a warning is reported once more than needed. */
export async function readReportedWarnings(directory: string): Promise<readonly StandingWarning[]> {
  try {
    const text = await readFile(join(directory, REPORTED_WARNINGS_FILE), 'utf8');
    return standingWarningsSchema.parse(JSON.parse(text)).warnings;
  } catch {
    return [];
  }
}

/** A failure is ignored, for the same reason. */
export async function writeReportedWarnings(
  directory: string,
  warnings: readonly StandingWarning[],
): Promise<void> {
  const text = `${JSON.stringify({ format: 1, warnings }, null, 2)}\n`;
  await replaceFile(join(directory, REPORTED_WARNINGS_FILE), text, 0o600).catch(() => undefined);
}
