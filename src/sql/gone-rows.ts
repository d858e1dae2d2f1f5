/** Counts the rows that a load would remove. */
import type { TableName } from '../schema/names.ts';
import { ident, qualified } from './identifiers.ts';
import { isNull, isPresent, nullSafeMatch } from './null-safe-match.ts';

const whereAll = (conditions: readonly string[]): string =>
  conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;

/** Counts the rows that match the conditions. */
export const countRows = (table: TableName, conditions: readonly string[]): string =>
  /* sql */ `SELECT pg_catalog.count(*)::float8 AS rows FROM ONLY ${qualified(table)} t${whereAll(conditions)}`;

interface Without {
  readonly table: TableName;
  readonly staging: TableName;
  readonly key: readonly {
    readonly name: string;
    readonly isNullable: boolean;
    /** Comparable types are compared as text if they differ (integer and bigint). */
    readonly hasSameType: boolean;
  }[];
  readonly where: readonly string[];
}

/**
 * Counts the rows of the table whose key is not in the staging table. Most rows have no NULL in their key and join by
 * `=` alone, so rows with a NULL are counted separately.
 */
export function countWithout({ table, staging, key, where }: Without): {
  readonly withKey: string;
  readonly withNull: string | undefined;
} {
  const pairs = key.map(({ name, isNullable, hasSameType }) => {
    const cast = hasSameType ? '' : '::text';
    return { left: `t.${ident(name)}${cast}`, right: `s.${ident(name)}${cast}`, isNullable };
  });
  const nullable = key.filter(({ isNullable }) => isNullable).map(({ name }) => `t.${ident(name)}`);
  const count = (condition: readonly string[], match: string) =>
    countRows(table, [
      ...where,
      ...condition,
      `NOT EXISTS (SELECT FROM ${qualified(staging)} s WHERE ${match})`,
    ]);
  return {
    withKey: count(
      nullable.map(isPresent),
      nullSafeMatch(pairs.map((pair) => ({ ...pair, isNullable: false }))),
    ),
    withNull:
      nullable.length === 0
        ? undefined
        : count([`(${nullable.map(isNull).join(' OR ')})`], nullSafeMatch(pairs, 'with NULL')),
  };
}
