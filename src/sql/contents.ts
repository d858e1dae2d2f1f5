/** Whether a table still holds what was read from it: one pass at the server, and nothing travels. */
import { hashOf, isWrittenSince } from './compare.ts';
import { ident, literal } from './identifiers.ts';
import { fromItem, type RowSource } from './row-source.ts';

/**
 * How many rows there are, and whether a transaction of that number (xid8) or a later one has written any of them. Rows
 * show who wrote them last only where they are stored in a heap.
 */
export const countAndWritten = (
  rows: RowSource,
  oid: string,
  since: string,
  nextXid: string,
): string => /* sql */ `
  SELECT count(*)::text AS rows, coalesce(bool_or(${isWrittenSince(since, nextXid)}), false) AS "isWritten",
         (SELECT a.amname IS NOT DISTINCT FROM 'heap' FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam
          WHERE c.oid = ${literal(oid)}::oid) AS "isHeap"
  FROM ${fromItem(rows)}`;

/** 60 bits of a hash, added up: unlike XOR, a sum does not cancel rows that come twice. */
const sumOf = (from: number): string =>
  `coalesce(sum(('x' || substr(hash, ${from}, 15))::bit(60)::bigint), 0)::text`;

export const countWhere = (rows: RowSource, condition: string): string =>
  /* sql */ `SELECT count(*)::float8 AS rows FROM ${fromItem(rows)} WHERE ${condition}`;

/** How many rows there are, and a digest of them all that is the same on any server and in any order. */
export const digestWhole = (rows: RowSource, columns: readonly string[]): string => /* sql */ `
  SELECT count(*)::text AS rows, ${sumOf(1)} || ':' || ${sumOf(16)} AS digest FROM (
    SELECT ${hashOf(`ROW(${columns.map(ident).join(', ')})::text`)} AS hash FROM ${fromItem(rows)} OFFSET 0) hashed`;
