import type { TableSettings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import { nearest } from '../nearest.ts';

interface Selection {
  /** Empty: all. */
  readonly names: readonly string[];
  readonly excluded: readonly string[];
}

/** The configured tables that a command line means, in the order of the configuration. @throws IncrepError USAGE */
export function selectTables(
  tables: readonly TableSettings[],
  { names, excluded }: Selection,
): TableSettings[] {
  for (const name of [...names, ...excluded]) ensureKnown(tables, name);
  const chosen = tables.filter(
    (table) => (names.length === 0 || names.some(isNameOf(table))) && !excluded.some(isNameOf(table)),
  );
  if (chosen.length > 0) return chosen;
  throw new IncrepError('USAGE', {
    what: 'no table is left to work on',
    next: 'Leave out --exclude, or name other tables.',
  });
}

const isNameOf = (table: TableSettings) => (name: string) => table.name === name;

/** @throws IncrepError USAGE, with the name that was probably meant */
export function ensureKnown(tables: readonly Pick<TableSettings, 'name'>[], name: string): void {
  if (tables.some((table) => table.name === name)) return;
  const names = tables.map((table) => table.name);
  const near = nearest(name, names);
  throw new IncrepError('USAGE', {
    what: `no table "${name}" in tables-config.json${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: `Name one of: ${names.join(', ')}.`,
  });
}
