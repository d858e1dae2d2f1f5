import type { TableName } from '../schema/names.ts';
import { holdsXml, type Column } from '../schema/columns.ts';
import { ident, identList, qualified } from './identifiers.ts';

export type CopyFormat = 'binary' | 'text';

/**
 * The columns as they are selected for COPY. xml prints without its declaration and without a leading line break, so
 * each copy would lose one more line break (xml_out). Cast to text, it is complete.
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

/** A query, not a table, because COPY of a table excludes generated columns, views and partitioned tables. */
export const copyOut = (select: string, as: CopyFormat): string =>
  /* sql */ `COPY (${select}) TO STDOUT${withOptions(as)}`;

/**
 * `isFresh` means that the table was created in this transaction. FREEZE then writes rows in their final form.
 * Without it, the first reader and VACUUM would each write all pages again.
 */
export const copyIn = (
  table: TableName,
  columns: readonly string[],
  { format, isFresh }: { readonly format: CopyFormat; readonly isFresh: boolean },
): string =>
  /* sql */ `COPY ${qualified(table)} (${identList(columns)}) FROM STDIN${withOptions(format, isFresh)}`;
