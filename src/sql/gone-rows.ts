/** Counts the rows that a load would remove. */
import type { TableName } from '../schema/names.ts';
import { ident, qualified } from './identifiers.ts';
import { EQUALS, MINUS } from './search-path.ts';

const whereAll = (conditions: readonly string[]): string =>
  conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;

/** Counts the rows that match the conditions. */
export const countRows = (table: TableName, conditions: readonly string[]): string =>
  /* sql */ `SELECT pg_catalog.count(*)::float8 AS rows FROM ONLY ${qualified(table)} t${whereAll(conditions)}`;

interface Without {
  readonly table: TableName;
  readonly staging: TableName;
  readonly key: readonly { readonly name: string; readonly isNullable: boolean }[];
  readonly where: readonly string[];
}

/**
 * Counts the rows of the table whose key is not in the staging table. Only `=` can be hashed, so rows with a NULL in
 * their key are counted separately, as the surplus of the table.
 */
export function countWithout({ table, staging, key, where }: Without): {
  readonly withKey: string;
  readonly withNull: string | undefined;
} {
  const match = key.map(({ name }) => `t.${ident(name)} ${EQUALS} s.${ident(name)}`).join(' AND ');
  const nullable = key.filter(({ isNullable }) => isNullable).map(({ name }) => ident(name));
  const isWhole = nullable.map((name) => `t.${name} IS NOT NULL`);
  const hasNull = (alias: string) => `(${nullable.map((name) => `${alias}.${name} IS NULL`).join(' OR ')})`;
  const isAbsent = `NOT EXISTS (SELECT FROM ${qualified(staging)} s WHERE ${match})`;
  return {
    withKey: countRows(table, [...where, ...isWhole, isAbsent]),
    withNull:
      nullable.length === 0
        ? undefined
        : /* sql */ `SELECT greatest(0::bigint, (SELECT pg_catalog.count(*) FROM ONLY ${qualified(table)} t${whereAll([...where, hasNull('t')])})
            ${MINUS} (SELECT pg_catalog.count(*) FROM ${qualified(staging)} s WHERE ${hasNull('s')}))::float8 AS rows`,
  };
}
