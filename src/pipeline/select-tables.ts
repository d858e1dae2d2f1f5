import type { TableSettings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import { LISTED, listedNames } from '../format.ts';
import { meantTables } from '../nearest.ts';
import { printName } from '../schema/names.ts';
import { isMatch, readPattern, starsOf } from '../schema/patterns.ts';

const CONFIGURED = 'tables-config.json';

type SelectableTable = Pick<TableSettings, 'name' | 'source'>;

interface TableChoice {
  /** Empty means all tables. Otherwise names, or patterns of names. */
  readonly names: readonly string[];
  readonly excluded: readonly string[];
  /** Where the names were searched, for messages. */
  readonly place?: string;
}

/**
 * The configured tables that the command line selects, in the order of the configuration. @throws IncrepError USAGE
 */
export function selectTables(
  tables: readonly TableSettings[],
  { names, excluded, place = CONFIGURED }: TableChoice,
): TableSettings[] {
  const meant = names.flatMap((name) => tablesMeant(tables, name, place));
  const left = excluded.flatMap((name) =>
    isPattern(name) ? matching(tables, name) : tablesMeant(tables, name, place),
  );
  const chosen = tables.filter(
    (table) => (names.length === 0 || meant.includes(table)) && !left.includes(table),
  );
  if (chosen.length > 0) return chosen;
  throw new IncrepError('USAGE', {
    what: '--exclude leaves no table',
    next: 'Remove --exclude, or name other tables.',
  });
}

const isPattern = (word: string): boolean => starsOf(readPattern(word)) > 0;

/**
 * Matches a name with or without its schema, or a pattern. A full match of a name with a star comes before the
 * pattern.
 */
export function matching<T extends SelectableTable>(tables: readonly T[], word: string): T[] {
  for (const isIt of [({ name }: T) => name === word, ({ source }: T) => printName(source) === word]) {
    const found = tables.find(isIt);
    if (found) return [found];
  }
  const pattern = readPattern(word);
  return tables.filter(({ name, source }) => isMatch(pattern, name) || isMatch(pattern, printName(source)));
}

/** @throws IncrepError USAGE, with the name that was probably meant */
export function tablesMeant<T extends SelectableTable>(
  tables: readonly T[],
  word: string,
  place: string = CONFIGURED,
): T[] {
  const found = matching(tables, word);
  if (found.length === 0) throw unknown(tables, word, place);
  return found;
}

function unknown(tables: readonly SelectableTable[], name: string, place: string): IncrepError {
  const names = tables.map((table) => table.name);
  return new IncrepError('USAGE', {
    what: name.split(',').every((part) => names.includes(part))
      ? `no table "${name}" in ${place}; separate names by spaces`
      : isPattern(name)
        ? `no table in ${place} matches "${name}"`
        : `no table "${name}" in ${place}${meantTables(name, names)}`,
    next: `The tables are: ${listedNames(names, LISTED)}.`,
  });
}
