/** Columns that the source dropped, and that the selection of the table still names: pure. */
import { IncrepError } from '../../errors.ts';
import { printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { EVERYTHING, sourceColumn, type Selection } from '../../schema/selection.ts';
import { hasName } from '../../sql/user-sql.ts';
import type { TableFacts } from '../facts/facts.ts';

interface Naming {
  /** Options with the column as a key or as an item. */
  readonly listing: readonly string[];
  /** Options with SQL that uses the column. */
  readonly using: readonly string[];
}

function optionsNaming({ columns, transform, rename, where }: Selection, column: string): Naming {
  const isOwn = transform.some((each) => each.column === column && hasName(each.expression, column));
  return {
    listing: [
      ...(columns?.includes(column) === true ? ['columns'] : []),
      ...(isOwn ? ['transform'] : []),
      ...(rename.some((each) => each.column === column) ? ['rename'] : []),
    ],
    using: [
      ...transform
        .filter((each) => each.column !== column && hasName(each.expression, column))
        .map((each) => `transform.${each.column}`),
      ...(where !== null && hasName(where, column) ? ['where'] : []),
    ],
  };
}

const quoted = (options: readonly string[]): string => options.map((option) => `"${option}"`).join(', ');

/** One refusal for each column. `source` lacks the columns that `transform` replaces if the server refused the SQL. */
export function lostColumns(
  { saved, settings: { name, pattern, selection }, sourceName, sourceColumns = [] }: TableFacts,
  source: Relation,
): IncrepError[] {
  if (saved.kind !== 'record' || saved.record.shape.oid !== source.oid) return [];
  const then = saved.record.selection ?? EVERYTHING;
  const place = pattern === undefined ? `table "${name}"` : `the pattern "${pattern}"`;
  return saved.record.shape.columns.flatMap(({ name: at, position }) => {
    const column = sourceColumn(then, at);
    const isThere =
      sourceColumns.includes(column) || source.columns.some((each) => each.position === position);
    const { listing, using } = optionsNaming(selection, column);
    if (position === 0 || isThere || listing.length + using.length === 0) return [];
    return new IncrepError('COLUMN_NOT_FOUND', {
      what: `the source no longer has column "${column}" of ${printName(sourceName)}, which ${quoted([...listing, ...using])} ${listing.length + using.length === 1 ? 'names' : 'name'}`,
      next: [
        ...(listing.length === 0
          ? []
          : [`Remove "${column}" from ${quoted(listing)} of ${place} in tables-config.json.`]),
        ...(using.length === 0
          ? []
          : [`Change the SQL in ${quoted(using)} of ${place} so that it does not use "${column}".`]),
        'To see what the next sync then changes at the destination, run: "increp plan".',
      ].join(' '),
    });
  });
}
