/** Statements that make and mark our tables at the destination. */
import { carriedType, type Column, type NativeCarriers } from '../schema/columns.ts';
import type { TableName } from '../schema/names.ts';
import { DELETED_AT, SYNCED_AT } from '../schema/metadata-columns.ts';
import { ident, identList, literal, qualified } from './identifiers.ts';
import type { OwnColumn } from './metadata-columns.ts';
import { asUsual, EQUALS, isSame } from './search-path.ts';

const columnDefinition = (column: Column, natives: NativeCarriers): string =>
  `${ident(column.name)} ${carriedType(column, natives)}${column.isNotNull ? ' NOT NULL' : ''}`;

/** `isLogged`: a staging table that will become the table must survive a crash of the server. */
export const createTable = (
  name: TableName,
  columns: readonly Column[],
  natives: NativeCarriers,
  isLogged: boolean,
): string =>
  asUsual(
    /* sql */ `CREATE ${isLogged ? '' : 'UNLOGGED '}TABLE ${qualified(name)} (${columns.map((column) => columnDefinition(column, natives)).join(', ')})`,
  );

export const createSchema = (schema: string): string =>
  asUsual(/* sql */ `CREATE SCHEMA IF NOT EXISTS ${ident(schema)}`);

export const dropTable = (name: TableName): string => asUsual(/* sql */ `DROP TABLE ${qualified(name)}`);

export const truncate = (name: TableName): string => /* sql */ `TRUNCATE ${qualified(name)}`;

export const deleteAll = (name: TableName): string => /* sql */ `DELETE FROM ${qualified(name)}`;

/** Fails at once where anybody else uses the table. */
export const lockAloneNow = (name: TableName): string =>
  /* sql */ `LOCK TABLE ${qualified(name)} IN ACCESS EXCLUSIVE MODE NOWAIT`;

/** Others read and write on; TRUNCATE, ALTER and DROP wait until we commit. */
export const lockForMerge = (name: TableName): string =>
  /* sql */ `LOCK TABLE ONLY ${qualified(name)} IN ROW EXCLUSIVE MODE`;

/** Granted when no other transaction has written to the table and is still open. */
export const awaitWriters = (name: TableName): string =>
  /* sql */ `LOCK TABLE ONLY ${qualified(name)} IN SHARE MODE`;

export const analyze = (name: TableName): string => asUsual(/* sql */ `ANALYZE ${qualified(name)}`);

/** A primary key where the source allows one, else a unique index: what makes a merge cost only what changed. */
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
 * `filled`: what the rows that are there hold. A constant as the default of a new column costs no row a write; it is the
 * default of later rows no more, because those that people add are not ours.
 */
export function addOwnColumn(table: TableName, { name, type }: OwnColumn, filled?: string): string {
  const column = ident(name);
  const add = `ALTER TABLE ${qualified(table)} ADD COLUMN IF NOT EXISTS ${column} ${type}`;
  return asUsual(
    filled === undefined
      ? add
      : /* sql */ `${add} DEFAULT ${filled}; ALTER TABLE ${qualified(table)} ALTER COLUMN ${column} DROP DEFAULT`,
  );
}

/** Rows from before a table had a column of ours. */
export const fillOwnColumn = (table: TableName, { name }: OwnColumn, filled: string): string =>
  asUsual(
    /* sql */ `UPDATE ONLY ${qualified(table)} SET ${ident(name)} = ${filled} WHERE ${ident(name)} IS NULL`,
  );

/**
 * Rows of the old table that the new one lacks, marked as of now unless they were marked before. Only `=` can be
 * hashed, so IS NOT DISTINCT FROM is kept for what may be NULL. `hasSyncedAt`: both tables have that column.
 */
export function copyMarked(
  from: TableName,
  to: TableName,
  columns: readonly string[],
  { key, hasSyncedAt }: { readonly key: readonly Column[]; readonly hasSyncedAt: boolean },
): string {
  const matches = key.map(({ name, isNotNull }) => {
    const [t, s] = [`t.${ident(name)}`, `s.${ident(name)}`];
    return isNotNull ? `${t} ${EQUALS} ${s}` : isSame(t, s);
  });
  const deletedAt = `t.${ident(DELETED_AT)}`;
  const values = [
    ...columns.map((name) => `t.${ident(name)}`),
    `coalesce(${deletedAt}, pg_catalog.now())`,
    ...(hasSyncedAt
      ? [`CASE WHEN ${deletedAt} IS NULL THEN pg_catalog.now() ELSE t.${ident(SYNCED_AT)} END`]
      : []),
  ];
  const names = [...columns, DELETED_AT, ...(hasSyncedAt ? [SYNCED_AT] : [])];
  return asUsual(/* sql */ `INSERT INTO ${qualified(to)} (${identList(names)})
    SELECT ${values.join(', ')} FROM ${qualified(from)} t
    WHERE NOT EXISTS (SELECT FROM ${qualified(to)} s WHERE ${matches.join(' AND ')})`);
}

/** $1 schema, $2 index: a row where it belongs to a constraint. */
export const IS_CONSTRAINT = /* sql */ `
  SELECT FROM pg_constraint k JOIN pg_class c ON c.oid = k.conindid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND k.contype IN ('p', 'u')`;

export const dropIndex = (schema: string, index: string): string =>
  asUsual(/* sql */ `DROP INDEX ${qualified({ schema, table: index })}`);

/** A unique index that is a constraint has its name. */
export const dropConstraint = (table: TableName, name: string): string =>
  asUsual(/* sql */ `ALTER TABLE ${qualified(table)} DROP CONSTRAINT ${ident(name)}`);

/** How we know a staging table for ours, and never drop a table that is not. */
/** What every one begins with. */
export const STAGING_MARK = 'Made by increp: the staging table of ';

export const stagingMark = (table: string): string =>
  `${STAGING_MARK}"${table}". Its rows are of no use; it is emptied and made again at will.`;

export const commentOnTable = (name: TableName, comment: string | null): string =>
  asUsual(/* sql */ `COMMENT ON TABLE ${qualified(name)} IS ${literal(comment)}`);

export const renameTable = (from: TableName, to: string): string =>
  asUsual(/* sql */ `ALTER TABLE ${qualified(from)} RENAME TO ${ident(to)}`);

/** $1 schema, $2 name, $3 a table: that one's oid where something in the schema has the name. */
export const IS_NAME_TAKEN = /* sql */ `
  SELECT (SELECT t.oid::text FROM pg_class t WHERE t.relnamespace = n.oid AND t.relname = $3) AS oid
  FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid WHERE n.nspname = $1 AND c.relname = $2`;

/** $1 schema, $2 name: the index that has it, and whose it is. */
export const INDEX_CALLED = /* sql */ `
  SELECT t.relname AS table, c.oid::text AS oid FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`;

export const renameIndex = (schema: string, from: string, to: string): string =>
  asUsual(/* sql */ `ALTER INDEX ${qualified({ schema, table: from })} RENAME TO ${ident(to)}`);

/** Whole rows tell a subscriber which row was changed or removed, where there is no primary key. For a person to run, too. */
export const identifyByRow = (table: TableName): string =>
  /* sql */ `ALTER TABLE ${qualified(table)} REPLICA IDENTITY FULL`;
