/** The pages and the size of a table. */
import type { TableName } from '../schema/names.ts';
import { literal, qualified } from './identifiers.ts';
import { AT_MOST } from './search-path.ts';

/** The table itself, its children or its partitions: every relation that stores rows. */
const LEAVES = (table: string): string => /* sql */ `
  SELECT l.oid, l.relam, l.reltuples, l.relpages FROM pg_class l
  WHERE l.relkind IN ('r', 'm') AND l.oid IN (
    WITH RECURSIVE tree AS (
      SELECT ${table} AS oid UNION SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid)
    SELECT oid FROM tree)`;

/** $1 oid. Read from the files, because the estimate of the planner may be old. */
export const DESCRIBE_HEAP = /* sql */ `
  SELECT current_setting('block_size')::int AS "blockSize",
         coalesce(bool_or(am.amname IS DISTINCT FROM 'heap'), false) AS "hasOtherStorage",
         coalesce(json_agg(json_build_object(
           'oid', l.oid::text, 'filenode', pg_relation_filenode(l.oid)::text, 'blocks', size.blocks,
           'bytes', pg_table_size(l.oid),
           'rowsPerBlock', CASE WHEN l.reltuples > 0 AND l.relpages > 0 THEN l.reltuples / l.relpages END)
           ORDER BY l.oid), '[]') AS leaves
  FROM (${LEAVES('$1::oid')}) l LEFT JOIN pg_am am ON am.oid = l.relam
  CROSS JOIN LATERAL (SELECT ceil(pg_relation_size(l.oid) / current_setting('block_size')::numeric)::float8 AS blocks) size`;

/**
 * $1 oids, $2 files. Returns tables that have another file now. pg_relation_filenode() shows the current file even in
 * an older snapshot. A dropped table is not included.
 */
export const REWRITTEN = /* sql */ `
  SELECT c.relname AS name FROM unnest($1::oid[], $2::text[]) was(oid, filenode) JOIN pg_class c ON c.oid = was.oid
  WHERE pg_relation_filenode(c.oid) IS NOT NULL AND pg_relation_filenode(c.oid)::text <> was.filenode`;

/**
 * Whether a locked relation was rewritten or created after the snapshot and before the lock. Its new rows are not in
 * the snapshot, and its old rows are lost. pg_class is read as of the snapshot. For some catalogs the file is
 * recorded elsewhere (0).
 */
export const REWRITTEN_SINCE_SNAPSHOT = /* sql */ `
  SELECT EXISTS (
    SELECT FROM pg_locks l LEFT JOIN pg_class c ON c.oid = l.relation
    WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (c.oid IS NULL OR c.relfilenode <> 0 AND pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode)
  ) AS "isRewritten"`;

/** $1 oids. Reads the file system, and waits for exclusive locks. Returns 0 for a dropped table. */
export const TABLE_SIZES = /* sql */ `
  SELECT oid::text AS oid, coalesce(pg_table_size(oid), 0)::float8 AS bytes FROM unnest($1::oid[]) o(oid)`;

const sizeOf = (table: TableName): string =>
  `pg_catalog.pg_table_size(${literal(qualified(table))}::regclass)`;

/** The sizes of tables on which this transaction holds locks, in their order. */
export const tableSizes = (tables: readonly TableName[]): string =>
  /* sql */ `SELECT ARRAY[${tables.map((table) => `${sizeOf(table)}::float8`).join(', ')}]::float8[] AS bytes`;

/** SQL predicate that the server evaluates once for a statement, before it reads any row. */
export const hasAtMost = (table: TableName, bytes: number): string =>
  `(SELECT ${sizeOf(table)}) ${AT_MOST} ${bytes}::bigint`;
