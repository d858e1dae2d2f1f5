/** Whether a table still holds what was read from it: one pass at the server, and nothing travels. */
import { hashOf, isWrittenSince } from './compare.ts';
import { ident, literal } from './identifiers.ts';
import { fromItem, onRows, type RowSource } from './row-source.ts';
import { EQUALS, JOINED, type Statement } from './search-path.ts';

/**
 * How many rows there are, and whether a transaction of that number (xid8) or a later one has written any of them. Rows
 * show who wrote them last only where they are stored in a heap.
 */
export const countAndWritten = (rows: RowSource, oid: string, since: string, nextXid: string): Statement =>
  onRows(
    rows,
    /* sql */ `
  SELECT pg_catalog.count(*)::text AS rows, coalesce(pg_catalog.bool_or(${isWrittenSince(since, nextXid)}), false) AS "isWritten",
         (SELECT coalesce(a.amname ${EQUALS} 'heap', false) FROM pg_class c LEFT JOIN pg_am a ON a.oid ${EQUALS} c.relam
          WHERE c.oid ${EQUALS} ${literal(oid)}::oid) AS "isHeap"
  FROM ${fromItem(rows)}`,
  );

/** 60 bits of a hash, added up: unlike XOR, a sum does not cancel rows that come twice. */
const sumOf = (from: number): string =>
  `coalesce(pg_catalog.sum(('x' ${JOINED} pg_catalog.substr(hash, ${from}, 15))::bit(60)::bigint), 0)::text`;

export const countWhere = (rows: RowSource, condition: string): Statement =>
  onRows(
    rows,
    /* sql */ `SELECT pg_catalog.count(*)::float8 AS rows FROM ${fromItem(rows)} WHERE ${condition}`,
  );

/** How many rows there are, and a digest of them all that is the same on any server and in any order. */
export const digestWhole = (rows: RowSource, columns: readonly string[]): Statement =>
  onRows(
    rows,
    /* sql */ `
  SELECT pg_catalog.count(*)::text AS rows, ${sumOf(1)} ${JOINED} ':' ${JOINED} ${sumOf(16)} AS digest FROM (
    SELECT ${hashOf(`ROW(${columns.map(ident).join(', ')})::text`)} AS hash FROM ${fromItem(rows)} OFFSET 0) hashed`,
  );
