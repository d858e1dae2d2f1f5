import type { TableName } from '../schema/names.ts';
import { holdsXml, type Column } from '../schema/columns.ts';
import { ident, identList, qualified } from './identifiers.ts';

export type CopyFormat = 'binary' | 'text';

/**
 * Columns as they are selected for COPY. What xml prints is not what it holds: without the declaration, and without a
 * line break in front, so that each copy would lose one more (xml_out). Cast to text it is given as it is.
 */
export const copiedColumns = (columns: readonly Column[], alias = ''): string =>
  columns
    .map((column) => {
      const name = `${alias}${ident(column.name)}`;
      if (!holdsXml(column)) return name;
      return `${name}::${column.base.isArray ? 'text[]' : 'text'}`;
    })
    .join(', ');

function withOptions(format: CopyFormat, isFresh = false): string {
  const options = [...(format === 'binary' ? ['FORMAT binary'] : []), ...(isFresh ? ['FREEZE'] : [])];
  return options.length === 0 ? '' : ` WITH (${options.join(', ')})`;
}

/** A query, not a table: only so are generated columns, views and partitioned tables copied too. */
export const copyOut = (select: string, as: CopyFormat): string =>
  /* sql */ `COPY (${select}) TO STDOUT${withOptions(as)}`;

/**
 * `isFresh`: the table was made in this very transaction. Its rows are then written as they will be for good, or the
 * first one to read them would write all pages again, and VACUUM once more.
 */
export const copyIn = (
  table: TableName,
  columns: readonly string[],
  { format, isFresh }: { readonly format: CopyFormat; readonly isFresh: boolean },
): string =>
  /* sql */ `COPY ${qualified(table)} (${identList(columns)}) FROM STDIN${withOptions(format, isFresh)}`;
