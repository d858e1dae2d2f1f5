/** Estimates how much there is to read. */
import type { Column } from '../schema/columns.ts';
import { ident, literal } from './identifiers.ts';
import { bareItem, onRows, type RowSource } from './row-source.ts';
import { AT_LEAST, type Statement } from './search-path.ts';
import { limitStatements } from './session.ts';
import { selectWindow, windowCondition, type Window } from './window.ts';

/** The estimate of the planner, without reading rows. The answer is one row with the column "QUERY PLAN". */
export const explainWindow = (rows: RowSource, columns: readonly Column[], window: Window): Statement =>
  onRows(rows, /* sql */ `EXPLAIN (FORMAT JSON) ${selectWindow(rows, columns, window)}`);

/** Counts at most `limit` rows, so it is cheap if there is an index. */
export const countWindow = (rows: RowSource, window: Window, limit: number): Statement =>
  onRows(
    rows,
    /* sql */ `SELECT pg_catalog.count(*)::int AS rows FROM (SELECT FROM ${bareItem(rows)} WHERE ${windowCondition(window)} LIMIT ${limit}) w`,
  );

/**
 * The same if the table and its partitions have at most that many bytes; otherwise NULL. The catalog does not know the size
 * before the first ANALYZE.
 */
export const countSmallWindow = (
  rows: RowSource,
  window: Window,
  { oid, bytes, limit }: { readonly oid: string; readonly bytes: number; readonly limit: number },
): Statement =>
  onRows(
    rows,
    /* sql */ `SELECT CASE WHEN ${bytes} ${AT_LEAST} (
        SELECT coalesce(pg_catalog.sum(pg_catalog.pg_relation_size(t.relid)), pg_catalog.pg_relation_size(${literal(oid)}))
        FROM pg_catalog.pg_partition_tree(${literal(oid)}) t)
      THEN (SELECT pg_catalog.count(*)::int FROM (SELECT FROM ${bareItem(rows)} WHERE ${windowCondition(window)} LIMIT ${limit}) w)
      END AS rows`,
  );

/**
 * Reads at most `limit` rows of a window, the newest first, and counts those that are new. So the cost does not grow with
 * the window. The number is not exact if the window has more rows. Sent by `countsOnly`.
 */
export const countNewest = (
  rows: RowSource,
  window: Window,
  { isNew, limit }: { readonly isNew: string; readonly limit: number },
): Statement =>
  onRows(
    rows,
    /* sql */ `SELECT pg_catalog.count(*) FILTER (WHERE n."isNew")::int AS rows, pg_catalog.count(*) ${AT_LEAST} ${limit} AS "isMore"
      FROM (SELECT ${isNew} AS "isNew" FROM ${bareItem(rows)} WHERE ${windowCondition(window)}
            ORDER BY ${ident(window.replicationKey)} DESC LIMIT ${limit}) n`,
  );

/** Only the order of an index. The first answer is that of the statement at COUNTED_AT. */
export const countsOnly = (counts: readonly Statement[], seconds: number): readonly Statement[] => [
  limitStatements(seconds),
  /* sql */ `SET LOCAL enable_seqscan = off`,
  /* sql */ `SET LOCAL enable_sort = off`,
  ...counts,
];

export const COUNTED_AT = 3;

/** The server plans and starts the query. This checks privileges, functions and the servers of foreign tables. */
export const readNothing = (rows: RowSource, columns: readonly Column[]): Statement =>
  onRows(rows, /* sql */ `${selectWindow(rows, columns, undefined)} LIMIT 0`);
