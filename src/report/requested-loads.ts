/** Tables that a `sync --full-refresh` has not loaded: for `status` and `plan`. */
import { formatCounted, LISTED, listedNames } from '../format.ts';
import { MOST_IN_COMMAND, shellWord, tablesCommand } from '../shell-word.ts';
import { formatAge } from './age.ts';
import { printableLine } from './text.ts';

/** More tables than fit are all tables. `destination` is undefined if the command is for all destinations. */
export const loadCommand = (names: readonly string[], destination?: string): string =>
  tablesCommand('sync', names.length > MOST_IN_COMMAND ? [] : names, [
    '--full-refresh',
    ...(destination === undefined ? [] : [`--destination ${shellWord(destination)}`]),
  ]);

export const requestedText = (ageSeconds: number): string =>
  `a full refresh was requested ${formatAge(ageSeconds)} ago and has not loaded this table`;

/** Of several tables, at the end. */
export const requestedLines = (names: readonly string[], command: string): string[] => [
  `NOT LOADED by the requested full refresh, ${formatCounted(names.length, 'table')}: ${listedNames(names.map(printableLine), LISTED)}`,
  `  next: To load ${names.length > MOST_IN_COMMAND ? 'all tables' : 'them'}, run "${command}".`,
];
