/** The only place where a name or a value becomes SQL text. Both are quoted by functions of the driver. */
import pg from 'pg';
import type { TableName } from '../schema/names.ts';

export const ident = (name: string): string => pg.escapeIdentifier(name);

export const qualified = (name: TableName): string => `${ident(name.schema)}.${ident(name.table)}`;

export const identList = (names: readonly string[]): string => names.map(ident).join(', ');

/** Only for COPY, and for several statements in one message: both take no parameters. */
export const literal = (value: string | null): string => (value === null ? 'NULL' : pg.escapeLiteral(value));

/** For the same uses. */
export const textArray = (values: readonly string[]): string =>
  `ARRAY[${values.map(literal).join(', ')}]::text[]`;
