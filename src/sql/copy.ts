import type { TableName } from '../schema/names.ts';
import { identList, qualified } from './identifiers.ts';

export type CopyFormat = 'binary' | 'text';

const format = (name: CopyFormat): string => (name === 'binary' ? ' WITH (FORMAT binary)' : '');

/** A query, not a table: only so are generated columns, views and partitioned tables copied too. */
export const copyOut = (select: string, as: CopyFormat): string =>
  /* sql */ `COPY (${select}) TO STDOUT${format(as)}`;

export const copyIn = (table: TableName, columns: readonly string[], as: CopyFormat): string =>
  /* sql */ `COPY ${qualified(table)} (${identList(columns)}) FROM STDIN${format(as)}`;
