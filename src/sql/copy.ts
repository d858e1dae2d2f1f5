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

const format = (name: CopyFormat): string => (name === 'binary' ? ' WITH (FORMAT binary)' : '');

/** A query, not a table: only so are generated columns, views and partitioned tables copied too. */
export const copyOut = (select: string, as: CopyFormat): string =>
  /* sql */ `COPY (${select}) TO STDOUT${format(as)}`;

export const copyIn = (table: TableName, columns: readonly string[], as: CopyFormat): string =>
  /* sql */ `COPY ${qualified(table)} (${identList(columns)}) FROM STDIN${format(as)}`;
