/** Tables that a `sync --full-refresh` has not loaded: for `status` and `plan`. */
import { formatCounted, LISTED, listedNames } from '../format.ts';
import { MOST_IN_COMMAND, shellWord, tablesCommand } from '../shell-word.ts';
import { formatAge } from './age.ts';
import { printableLine } from './text.ts';

/** More tables than fit are all tables. `destination` is undefined if the commands are for all destinations. */
export function loadSteps(names: readonly string[], destination?: string): string {
  const isAll = names.length > MOST_IN_COMMAND;
  const tables = isAll ? [] : names;
  const at = destination === undefined ? [] : [`--destination ${shellWord(destination)}`];
  const [them, those] = names.length === 1 ? ['it', 'it is'] : [isAll ? 'all tables' : 'them', 'they are'];
  return `To load ${them}, run "${tablesCommand('sync', tables, ['--full-refresh', ...at])}". To withdraw the request if ${those} equal to the source, run "${tablesCommand('verify', tables, at)}".`;
}

export const requestedText = (ageSeconds: number): string =>
  `a full refresh was requested ${formatAge(ageSeconds)} ago and has not loaded this table`;

/** Of several tables, at the end. */
export const requestedLines = (names: readonly string[], steps: string): string[] => [
  `PENDING full refresh, requested but not done, ${formatCounted(names.length, 'table')}: ${listedNames(names.map(printableLine), LISTED)}`,
  `  next: ${steps}`,
];
