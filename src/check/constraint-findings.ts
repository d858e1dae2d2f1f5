/** Finds constraints of a destination table that rows of the source may violate: pure. */
import { listed } from '../format.ts';
import { printName } from '../schema/names.ts';
import { copyKey } from '../schema/row-identity.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { unfilledColumns } from '../sync/plan/altered-destination.ts';
import { warning, type Finding } from './finding.ts';

/** The number of indexes that a message names. */
const LISTED = 5;

/** All tables of the pipeline, by the oid of the destination table. */
export type TablesByOid = ReadonlyMap<string, readonly TableFacts[]>;

export const tablesByOid = (tables: readonly TableFacts[]): TablesByOid =>
  Map.groupBy(
    tables.filter(({ destination }) => destination),
    ({ destination }) => destination?.oid ?? '',
  );

interface CheckedTables {
  readonly byOid: TablesByOid;
  /** Whether these are all tables of the pipeline. */
  readonly isWhole: boolean;
}

export const constraintFindings = (table: TableFacts, tables: CheckedTables): Finding[] => [
  ...(table.settings.deletes === 'keep' ? keptFindings(table, tables.byOid) : []),
  ...uniqueFindings(table),
  ...unfilledFindings(table),
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

function unfilledFindings(table: TableFacts): Finding[] {
  const unfilled = table.source && unfilledColumns(table, table.source);
  return unfilled
    ? [warning('DESTINATION_CONSTRAINT', table.settings.name, unfilled.what, unfilled.next)]
    : [];
}

/** Rows that are gone from the source keep their unique values and their references. */
function keptFindings({ settings, destination }: TableFacts, tables: TablesByOid): Finding[] {
  const { name } = settings;
  const key = copyKey(settings);
  const unique = (destination?.uniqueKeys ?? []).filter(
    ({ columns }) => !key.every((column) => columns.includes(column)),
  );
  const parents = (destination?.references ?? []).flatMap((oid) =>
    (tables.get(oid) ?? []).filter((each) => each.settings.deletes === 'hard'),
  );
  return [
    ...(unique.length === 0
      ? []
      : [
          warning(
            'KEPT_ROWS',
            name,
            `rows that are gone from the source keep their values in unique indexes: ${listed(
              unique.map(({ index, columns }) => `${index} (${columns.join(', ')})`),
              LISTED,
            )}`,
            'If another row gets such a value at the source, the sync of the table stops. Replace the index at the destination with an index that is not unique.',
          ),
        ]),
    ...(parents.length === 0
      ? []
      : [
          warning(
            'KEPT_ROWS',
            name,
            `rows that are gone from the source still refer to rows of ${listed(
              parents.map((each) => each.settings.name),
              LISTED,
            )}, which removes deleted rows`,
            'Such rows cannot be removed. Set "deletes": "keep" for the referenced table too, or drop the foreign key at the destination.',
          ),
        ]),
  ];
}

function foreignKeyFindings(
  { settings, destination, destinationName }: TableFacts,
  { byOid: tables, isWhole }: CheckedTables,
): Finding[] {
  // A check of some tables does not know the others.
  if (!isWhole) return [];
  const isSynced = (oid: string) => (tables.get(oid) ?? []).some((each) => each.settings.isEnabled);
  const isForeign = (oid: string) => !isSynced(oid) && oid !== destination?.oid;
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
