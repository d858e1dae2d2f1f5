/** The only places where a name or a value becomes SQL text. Both quote with the driver's own functions. */
import pg from 'pg';
import type { TableName } from '../schema/names.ts';

export const ident = (name: string): string => pg.escapeIdentifier(name);

export const qualified = (name: TableName): string => `${ident(name.schema)}.${ident(name.table)}`;

export const identList = (names: readonly string[]): string => names.map(ident).join(', ');

/** COPY takes no parameters and several statements in one message take none either: there, and only there. */
export const literal = (value: string | null): string => (value === null ? 'NULL' : pg.escapeLiteral(value));
