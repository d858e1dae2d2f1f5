/** Replaces patterns by the tables that they match: pure. */
import { printName, stagingName, tableKey, type TableName } from '../../schema/names.ts';
import { isMatch, translated } from '../../schema/patterns.ts';
import { isIdentifier } from './identifiers.ts';
import { recordNameOf, destinationOf, labelOf } from './table-mapping.ts';
import { show } from '../problems.ts';
import type { Settings, TablePattern, TableSettings } from '../settings.ts';
import { conflictOf, NameIndex, type NamedTable } from './table-names.ts';

export interface Expansion {
  /** In the order of the configuration. The tables of one pattern are sorted by name. */
  readonly tables: readonly TableSettings[];
  /** Patterns that match no table, as they are written. */
  readonly unmatched: readonly string[];
  /** Why a matching table is left out, as text. */
  readonly leftOut: readonly string[];
}

type Configured = Pick<Settings, 'source' | 'destination' | 'tables' | 'patterns'>;

/**
 * `found` contains tables of the source. An entry with a full name wins over a pattern, and the first pattern wins
 * over later ones.
 */
export function expandPatterns(settings: Configured, found: readonly TableName[]): Expansion {
  const taken = new Set(settings.tables.map(({ source }) => tableKey(source)));
  const labels = new Set(settings.tables.map(({ name }) => name));
  const expanded = new Map<TablePattern, TableSettings[]>();
  const leftOut: string[] = [];
  for (const pattern of settings.patterns) {
    const matched = found.filter((table) => isOf(pattern, table) && !taken.has(tableKey(table)));
    const tables = matched.toSorted(byName).map((table) => tableOf(pattern, table, settings));
    const distinct = tables.filter(({ name }) => !labels.has(name));
    for (const { name, source } of tables.filter((table) => labels.has(table.name)))
      leftOut.push(
        `${printName(source)} matches "${pattern.name}" but is left out: another table here has the name ${show(name)}`,
      );
    for (const { name, source } of distinct) {
      taken.add(tableKey(source));
      labels.add(name);
    }
    expanded.set(pattern, distinct);
  }
  const patternsAt = (place: number) => settings.patterns.filter((pattern) => pattern.place === place);
  const tables = [...settings.tables, undefined].flatMap((table, place) => [
    ...patternsAt(place).flatMap((pattern) => expanded.get(pattern) ?? []),
    ...(table ? [table] : []),
  ]);
  return {
    tables: withConflicts(settings, tables),
    unmatched: settings.patterns
      .filter((pattern) => !found.some((table) => isOf(pattern, table)))
      .map(({ name }) => name),
    leftOut,
  };
}

const isOf = ({ schema, names }: TablePattern, table: TableName): boolean =>
  table.schema === schema && isMatch(names, table.table);

const byName = (a: TableName, b: TableName): number => (a.table < b.table ? -1 : 1);

function tableOf(pattern: TablePattern, source: TableName, settings: Configured): TableSettings {
  const { names, copyNames } = pattern;
  return {
    ...pattern.options,
    name: labelOf(source, settings.source),
    source,
    destinationTable: copyNames ? translated(names, copyNames, source.table) : source.table,
    pattern: pattern.name,
  };
}

/**
 * A new table at the source must not stop a run. If two tables need one name, the table that a pattern matched is
 * left out.
 */
function withConflicts(settings: Configured, tables: readonly TableSettings[]): TableSettings[] {
  const listed = settings.tables.map((table) => named(settings, table));
  const [own, earlier] = [new NameIndex(listed), new NameIndex(listed)];
  const all = tables.map((table) => named(settings, table));
  const index = new NameIndex(all);
  return tables.map((table, place) => {
    const names = all[place];
    if (table.pattern === undefined || !names) return table;
    const conflict = conflictOf(names, earlier, index) ?? tooLong(table) ?? stagingTaken(names, own);
    earlier.add(names);
    return { ...table, conflict };
  });
}

const named = (settings: Configured, table: TableSettings): NamedTable => ({
  where:
    table.pattern === undefined
      ? `the table "${table.name}"`
      : `${printName(table.source)}, which "${table.pattern}" matches`,
  name: table.name,
  destination: destinationOf(settings.destination, table),
  recordName: recordNameOf(settings, table),
});

const tooLong = ({ destinationTable }: TableSettings): string | undefined =>
  isIdentifier(destinationTable)
    ? undefined
    : `the name of its destination table would be ${show(destinationTable)}, which is not 1 to 63 bytes long`;

function stagingTaken({ destination }: NamedTable, own: NameIndex): string | undefined {
  const other = destination && own.withDestination({ ...destination, table: stagingName(destination.table) });
  return (
    other &&
    `its staging table would have the name of the destination table of ${other.where}; give one of them another dest_name`
  );
}
