/** The partitions of a table that is too large for one statement. */
import type { KeyType } from '../schema/keys.ts';
import { TOP_ROWS } from '../schema/integer-mark.ts';
import type { TableName } from '../schema/names.ts';
import { ident, literal, qualified, textArray } from './identifiers.ts';
import { bareItem, onRows, type RowSource, type SelectedRows } from './row-source.ts';
import type { Statement } from './search-path.ts';

/** The partitions that hold rows, each with its locks. It locks none of them, as pg_partition_tree() would do. */
export const listPartitions = (oid: string): string => /* sql */ `
  WITH RECURSIVE tree AS (
    SELECT ${literal(oid)}::oid AS oid
    UNION ALL
    SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid WHERE NOT i.inhdetachpending)
  SELECT l.oid::text AS oid, n.nspname AS schema, l.relname AS "table",
         1 + (SELECT count(*)::int FROM pg_index x WHERE x.indrelid = l.oid) AS locks
  FROM tree JOIN pg_class l ON l.oid = tree.oid JOIN pg_namespace n ON n.oid = l.relnamespace
  WHERE l.relkind <> 'p' ORDER BY l.oid`;

export interface ListedPartition extends TableName {
  readonly oid: string;
}

/** Whether a name means another table now. Asked after the partitions were read, and so locked by these names. */
export const areRenamed = (partitions: readonly ListedPartition[]): string => /* sql */ `
  SELECT EXISTS (SELECT FROM unnest(${textArray(partitions.map(({ oid }) => oid))}::oid[], ${textArray(partitions.map(qualified))}) was(oid, name)
                 WHERE to_regclass(was.name)::oid IS DISTINCT FROM was.oid) AS "areRenamed"`;

/** Locks only the partitioned table itself. An ALTER or DROP of a partition by way of the table waits for it. */
export const lockOnly = (table: TableName): string =>
  /* sql */ `LOCK TABLE ONLY ${qualified(table)} IN ACCESS SHARE MODE`;

/** The largest integer keys as text, enough for the high-water mark, and the lowest key. */
export const topKeys = (rows: RowSource, replicationKey: string): Statement => {
  const key = ident(replicationKey);
  const from = bareItem(rows);
  return onRows(
    rows,
    /* sql */ `SELECT ARRAY(SELECT top.key::text FROM (
        SELECT ${key} AS key FROM ${from} WHERE ${key} IS NOT NULL ORDER BY ${key} DESC LIMIT ${TOP_ROWS + 1}) top) AS keys,
      (SELECT pg_catalog.min(${key})::text FROM ${from}) AS lowest`,
  );
};

/** Keys that were read before, in place of the rows of the table. */
export const keyRows = (
  keys: readonly string[],
  { replicationKey, keyType }: { readonly replicationKey: string; readonly keyType: KeyType },
): SelectedRows => {
  const type = keyType === 'integer' ? 'bigint' : keyType;
  const select = `SELECT pg_catalog.unnest(${textArray(keys)})::${type} AS ${ident(replicationKey)}`;
  return { select, bare: select, label: 'keys' };
};

/** Those of the tables that still exist. `bounds`: what only the rows of a partition satisfy. */
export const tablesByOid = (oids: readonly string[], attached: readonly string[]): string => /* sql */ `
  SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS "table",
         CASE WHEN c.oid = ANY (${textArray(attached)}::oid[]) THEN pg_get_partition_constraintdef(c.oid) END AS bounds,
         has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS "isReadable"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = ANY (${textArray(oids)}::oid[]) ORDER BY n.nspname, c.relname`;

/**
 * Which partitions have rows outside the window. A new partition may have no grants, so its rows are read through the
 * partitioned table, where the planner finds the partition by its bounds. A child table has no bounds.
 */
export const partitionsWithOtherRows = (
  table: TableName,
  partitions: readonly (ListedPartition & { readonly bounds: string | null })[],
  window: string,
): string =>
  partitions
    .map(
      ({ bounds, ...partition }) => /* sql */ `SELECT ${literal(partition.oid)} AS oid WHERE EXISTS (
        SELECT FROM ${qualified(bounds === null ? partition : table)} WHERE (${bounds ?? 'true'}) AND NOT (${window}))`,
    )
    .join(' UNION ALL ');
