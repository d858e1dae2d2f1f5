/** Whether another type can hold the values of a column. */
import type { TableName } from '../schema/names.ts';
import { ident, qualified } from './identifiers.ts';
import { nullSafeMatch, type KeyMatch } from './null-safe-match.ts';
import { DIFFERS, EQUALS } from './search-path.ts';

export interface Conversion {
  readonly name: string;
  /** The types of the destination table, before and after. */
  readonly from: string;
  readonly to: string;
}

/** True for a row `t` whose value is another one after the conversion and back. */
export const isLossy = ({ name, from, to }: Conversion): string =>
  `${image(`t.${ident(name)}::${to}::${from}`)} ${DIFFERS} ${image(`t.${ident(name)}`)}`;

/** A record, because equal means equal bytes. Of two ROW(...), the server would compare the fields. */
const image = (value: string): string => `(SELECT e FROM (SELECT ${value}) e)`;

interface Converted {
  readonly table: TableName;
  readonly staging: TableName;
  readonly mergeKey: readonly { readonly name: string; readonly isNullable: boolean }[];
  readonly replicationKey: string;
  readonly column: string;
}

/** Counts the rows that have not changed since the last sync, and whose converted value is not the value of the source. */
export function countConvertedOtherwise(converted: Converted): string {
  const { table, staging, mergeKey, replicationKey, column } = converted;
  const key = mergeKey.map(({ name, isNullable }): KeyMatch => ({
    left: `t.${ident(name)}`,
    right: `s.${ident(name)}`,
    isNullable,
  }));
  return /* sql */ `SELECT pg_catalog.count(*)::float8 AS rows FROM ONLY ${qualified(table)} t, ${qualified(staging)} s
    WHERE ${nullSafeMatch(key)} AND t.${ident(replicationKey)} ${EQUALS} s.${ident(replicationKey)}
      AND ${image(`t.${ident(column)}`)} ${DIFFERS} ${image(`s.${ident(column)}`)}`;
}
