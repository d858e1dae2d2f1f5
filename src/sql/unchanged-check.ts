/**
 * Checks whether a table still contains what was read from it: one scan at the server, and no rows are transferred.
 */
import { hashOf, isWrittenSince } from './compare.ts';
import { ident, literal } from './identifiers.ts';
import { fromItem, onRows, type RowSource } from './row-source.ts';
import { EQUALS, JOINED, type Statement } from './search-path.ts';

/**
 * The number of rows, and whether a transaction with this ID (xid8) or a later one wrote any of them. Only rows in a
 * heap show who wrote them last.
 */
export const countAndWritten = (rows: RowSource, oid: string, since: string): Statement =>
  onRows(
    rows,
    /* sql */ `
  SELECT pg_catalog.count(*)::text AS rows, coalesce(pg_catalog.bool_or(${isWrittenSince(since)}), false) AS "isWritten",
         (SELECT coalesce(a.amname ${EQUALS} 'heap', false) FROM pg_class c LEFT JOIN pg_am a ON a.oid ${EQUALS} c.relam
          WHERE c.oid ${EQUALS} ${literal(oid)}::oid) AS "isHeap"
  FROM ${fromItem(rows)}`,
  );

/** The sum of 60 bits of each hash. Unlike XOR, a sum does not cancel equal rows. */
const sumOf = (from: number): string =>
  `coalesce(pg_catalog.sum(('x' ${JOINED} pg_catalog.substr(hash, ${from}, 15))::bit(60)::bigint), 0)::text`;

export const countWhere = (rows: RowSource, condition: string): Statement =>
  onRows(
    rows,
    /* sql */ `SELECT pg_catalog.count(*)::float8 AS rows FROM ${fromItem(rows)} WHERE ${condition}`,
  );

/** The number of rows, and a digest of all rows. The digest does not depend on the server or the order. */
export const digestWhole = (rows: RowSource, columns: readonly string[]): Statement =>
  onRows(
    rows,
    /* sql */ `
  SELECT pg_catalog.count(*)::text AS rows, ${sumOf(1)} ${JOINED} ':' ${JOINED} ${sumOf(16)} AS digest FROM (
    SELECT ${hashOf(`ROW(${columns.map(ident).join(', ')})::text`)} AS hash FROM ${fromItem(rows)} OFFSET 0) hashed`,
  );
