/** Finds constraints of a destination table that rows of the source may violate: pure. */
import { listed } from '../format.ts';
import { printName } from '../schema/names.ts';
import { copyKey } from '../schema/row-identity.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { warning, type Finding } from './finding.ts';

/** The number of indexes that a message names. */
const LISTED = 5;

/** `tables` contains all tables of the pipeline. */
export const constraintFindings = (table: TableFacts, tables: readonly TableFacts[]): Finding[] => [
  ...uniqueFindings(table),
  ...foreignKeyFindings(table, tables),
];

function uniqueFindings({ settings, source, destination }: TableFacts): Finding[] {
  const key = copyKey(settings);
  const isOfSource = (columns: readonly string[]) =>
    [key, ...(source?.uniqueKeys ?? []).map((unique) => unique.columns)].some((unique) =>
      unique.every((name) => columns.includes(name)),
    );
  const own = (destination?.uniqueKeys ?? []).filter(({ columns }) => !isOfSource(columns));
  if (own.length === 0) return [];
  const indexes = own.map(({ index, columns }) => `${index} (${columns.join(', ')})`);
  return [
    warning(
      'DESTINATION_CONSTRAINT',
      settings.name,
      `unique indexes of the destination table have no counterpart at the source: ${listed(indexes, LISTED)}`,
      'Two source rows with the same value would stop the sync of the table. Create the unique index at the source too, or drop it at the destination.',
    ),
  ];
}

function foreignKeyFindings(
  { settings, destination, destinationName }: TableFacts,
  tables: readonly TableFacts[],
): Finding[] {
  const synced = tables.filter((each) => each.settings.isEnabled).map((each) => each.destination?.oid);
  const isForeign = (oid: string) => !synced.includes(oid) && oid !== destination?.oid;
  if (!destination?.references.some(isForeign)) return [];
  return [
    warning(
      'DESTINATION_CONSTRAINT',
      settings.name,
      `a foreign key of ${printName(destinationName)} at the destination refers to a table that this pipeline does not sync`,
      'A row that refers to a missing row would stop the sync of the table. Sync both tables, or drop the foreign key at the destination.',
    ),
  ];
}
