/** How many locks a query of a partitioned table takes, and how many the server has room for. */

/**
 * $1 oids of tables with partitions or children. Not pg_partition_tree(), which locks all of them. A query locks each table and
 * each of its indexes, although it reads few of them.
 */
export const LOCK_NEEDS = /* sql */ `
  WITH RECURSIVE tree (root, oid) AS (
    SELECT asked::oid, asked::oid FROM unnest($1::text[]) asked
    UNION ALL
    SELECT tree.root, i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid)
  SELECT root::text AS oid, count(DISTINCT tree.oid)::int AS tables, count(x.indexrelid)::int AS indexes,
         current_setting('max_locks_per_transaction')::int AS "perTransaction",
         current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int AS transactions
  FROM tree LEFT JOIN pg_index x ON x.indrelid = tree.oid GROUP BY root`;
