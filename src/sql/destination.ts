/** Statements that create and mark the tables of increp at the destination. */
import { carriedType, type Column, type NativeCarriers } from '../schema/columns.ts';
import type { TableName } from '../schema/names.ts';
import { ident, identList, literal, qualified } from './identifiers.ts';
import type { MetadataColumnDefinition } from './metadata-columns.ts';
import { asUsual } from './search-path.ts';

const columnDefinition = (column: Column, natives: NativeCarriers): string =>
  `${ident(column.name)} ${carriedType(column, natives)}${column.isNotNull ? ' NOT NULL' : ''}`;

/** `isLogged`: a staging table that will become the destination table must survive a crash of the server. */
export const createTable = (
  name: TableName,
  columns: readonly Column[],
  natives: NativeCarriers,
  isLogged: boolean,
): string =>
  asUsual(
    /* sql */ `CREATE ${isLogged ? '' : 'UNLOGGED '}TABLE ${qualified(name)} (${columns.map((column) => columnDefinition(column, natives)).join(', ')})`,
  );

/** For a person. */
export const schemaStatement = (schema: string): string =>
  /* sql */ `CREATE SCHEMA IF NOT EXISTS ${ident(schema)}`;

export const createSchema = (schema: string): string => asUsual(schemaStatement(schema));

export const dropTable = (name: TableName): string => asUsual(/* sql */ `DROP TABLE ${qualified(name)}`);

export const truncate = (name: TableName): string => /* sql */ `TRUNCATE ${qualified(name)}`;

export const deleteAll = (name: TableName): string => /* sql */ `DELETE FROM ${qualified(name)}`;

/** Fails at once if another session has the table for itself. */
export const lockForReadingNow = (name: TableName): string =>
  /* sql */ `LOCK TABLE ${qualified(name)} IN ACCESS SHARE MODE NOWAIT`;

/** Fails at once if another session uses the table. */
export const lockAloneNow = (name: TableName): string =>
  /* sql */ `LOCK TABLE ${qualified(name)} IN ACCESS EXCLUSIVE MODE NOWAIT`;

/** Other sessions can read and write. TRUNCATE, ALTER and DROP wait until the commit. */
export const lockForMerge = (name: TableName): string =>
  /* sql */ `LOCK TABLE ONLY ${qualified(name)} IN ROW EXCLUSIVE MODE`;

/** Granted when no open transaction has written to the table. */
export const awaitWriters = (name: TableName): string =>
  /* sql */ `LOCK TABLE ONLY ${qualified(name)} IN SHARE MODE`;

export const analyze = (name: TableName): string => asUsual(/* sql */ `ANALYZE ${qualified(name)}`);

/**
 * A primary key if the source allows it, otherwise a unique index. With it, a merge costs only as much as the
 * changes.
 */
export function createMergeKey(
  table: TableName,
  index: string,
  mergeKey: readonly string[],
  isNotNull: boolean,
): string {
  return asUsual(
    isNotNull
      ? /* sql */ `ALTER TABLE ${qualified(table)} ADD CONSTRAINT ${ident(index)} PRIMARY KEY (${identList(mergeKey)})`
      : /* sql */ `CREATE UNIQUE INDEX ${ident(index)} ON ${qualified(table)} (${identList(mergeKey)})`,
  );
}

/**
 * `filled` is the value of existing rows. A constant default of a new column needs no write. The default is dropped
 * afterwards, because later rows of users do not belong to increp.
 */
export function addMetadataColumn(
  table: TableName,
  { name, type }: MetadataColumnDefinition,
  filled?: string,
): string {
  const column = ident(name);
  const add = `ALTER TABLE ${qualified(table)} ADD COLUMN IF NOT EXISTS ${column} ${type}`;
  return asUsual(
    filled === undefined
      ? add
      : /* sql */ `${add} DEFAULT ${filled}; ALTER TABLE ${qualified(table)} ALTER COLUMN ${column} DROP DEFAULT`,
  );
}

/** Rows that were written before the table had this metadata column. */
export const fillMetadataColumn = (
  table: TableName,
  { name }: MetadataColumnDefinition,
  filled: string,
): string =>
  asUsual(
    /* sql */ `UPDATE ONLY ${qualified(table)} SET ${ident(name)} = ${filled} WHERE ${ident(name)} IS NULL`,
  );

/** $1 schema, $2 index. Returns a row if the index belongs to a constraint. */
export const IS_CONSTRAINT = /* sql */ `
  SELECT FROM pg_constraint k JOIN pg_class c ON c.oid = k.conindid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND k.contype IN ('p', 'u')`;

export const dropIndex = (schema: string, index: string): string =>
  asUsual(/* sql */ `DROP INDEX ${qualified({ schema, table: index })}`);

/** The constraint has the name of its unique index. */
export const dropConstraint = (table: TableName, name: string): string =>
  asUsual(/* sql */ `ALTER TABLE ${qualified(table)} DROP CONSTRAINT ${ident(name)}`);

/** This comment identifies a staging table of increp. A table without it is never dropped. */
/** The beginning of every such comment. */
export const STAGING_MARK = 'Made by increp: the staging table of ';

/** The beginning of the comment of an index or a constraint that increp has copied from the source. Only these are dropped. */
export const COPY_MARK =
  'Made by increp: a copy of an object of the source. Remove this comment to keep it. ';

export const stagingMark = (table: string): string =>
  `${STAGING_MARK}"${table}". Its rows are of no use; it is emptied and made again at will.`;

export const commentOnTable = (name: TableName, comment: string | null): string =>
  asUsual(/* sql */ `COMMENT ON TABLE ${qualified(name)} IS ${literal(comment)}`);

export const renameTable = (from: TableName, to: string): string =>
  asUsual(/* sql */ `ALTER TABLE ${qualified(from)} RENAME TO ${ident(to)}`);

/** $1 schema, $2 name, $3 a table. Returns the oid of the relation with this name in the schema. */
export const IS_NAME_TAKEN = /* sql */ `
  SELECT (SELECT t.oid::text FROM pg_class t WHERE t.relnamespace = n.oid AND t.relname = $3) AS oid
  FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid WHERE n.nspname = $1 AND c.relname = $2`;

/** $1 schema, $2 name. Returns the index with this name, and its table. */
export const INDEX_CALLED = /* sql */ `
  SELECT t.relname AS table, c.oid::text AS oid, obj_description(c.oid, 'pg_class') AS comment FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`;

export const renameIndex = (schema: string, from: string, to: string): string =>
  asUsual(/* sql */ `ALTER INDEX ${qualified({ schema, table: from })} RENAME TO ${ident(to)}`);

/** Without a primary key, whole rows identify the changed row for a subscriber. Users run this statement too. */
export const identifyByRow = (table: TableName): string =>
  /* sql */ `ALTER TABLE ${qualified(table)} REPLICA IDENTITY FULL`;
