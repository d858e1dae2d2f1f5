/**
 * Merges the staging table into a table without a unique key: a row is its own key, and equal rows are counted. Rows
 * that both tables have are not written, so they cost nothing and keep the values of added columns.
 */
import type { TableName } from '../schema/names.ts';
import { ident, identList, qualified } from './identifiers.ts';
import { EQUALS, GREATER } from './search-path.ts';

export interface KeylessMerge {
  readonly destination: TableName;
  readonly staging: TableName;
  /** By name, in any order, because both rows are built from them. */
  readonly columns: readonly string[];
}

/**
 * A hash of the row as text: types without an order (json, xml, point) have a text too, and 1.0 is not 1.00. SHA-256
 * has no known collision, which matters because equal hashes count as equal rows.
 */
const hashOf = (alias: string, columns: readonly string[]): string =>
  `pg_catalog.sha256(pg_catalog.convert_to(ROW(${columns.map((name) => `${alias}.${ident(name)}`).join(', ')})::text, pg_catalog.getdatabaseencoding()))`;

const numbered = (table: string, hash: string): string => /* sql */ `
  SELECT place, hash, pg_catalog.row_number() OVER (PARTITION BY hash) AS nth
  FROM (SELECT r.ctid AS place, ${hash} AS hash FROM ${table} r) hashed`;

const counted = (table: string, hash: string): string => /* sql */ `
  SELECT hash, pg_catalog.count(*) AS copies FROM (SELECT ${hash} AS hash FROM ${table} r) hashed GROUP BY hash`;

const placesBeyond = (table: string, other: string, columns: readonly string[]): string => {
  const hash = hashOf('r', columns);
  return /* sql */ `SELECT n.place FROM (${numbered(table, hash)}) n LEFT JOIN (${counted(other, hash)}) o ON o.hash ${EQUALS} n.hash
    WHERE n.nth ${GREATER} coalesce(o.copies, 0::bigint)`;
};

const onlyOf = (table: TableName): string => `ONLY ${qualified(table)}`;

/** Rows that the destination has more often than the staging table. */
export const removeSurplus = ({ destination, staging, columns }: KeylessMerge): string => /* sql */ `
  DELETE FROM ${onlyOf(destination)} t USING (${placesBeyond(onlyOf(destination), qualified(staging), columns)}) surplus
  WHERE t.ctid ${EQUALS} surplus.place`;

/** Rows that the staging table has more often than the destination. */
export const addMissing = ({ destination, staging, columns }: KeylessMerge): string => /* sql */ `
  INSERT INTO ${qualified(destination)} (${identList(columns)}) OVERRIDING SYSTEM VALUE
  SELECT ${columns.map((name) => `s.${ident(name)}`).join(', ')} FROM ${qualified(staging)} s
  JOIN (${placesBeyond(qualified(staging), onlyOf(destination), columns)}) missing ON s.ctid ${EQUALS} missing.place`;
