/** Finds from the catalogs how a replication key gets its values: from sequences, or from programs that copy rows. */
import type { KeyType } from '../schema/keys.ts';
import type { TableName } from '../schema/names.ts';
import { ident, literal, qualified } from './identifiers.ts';
import { EQUALS, GREATER } from './search-path.ts';

/**
 * The sequences of the column, by ownership or by its default. All names are qualified, because the fence uses this
 * too.
 */
const sequencesOf = (table: TableName, column: string): string => /* sql */ `(
  SELECT s.seqrelid AS oid, s.seqcache AS cache, s.seqincrement AS increment, s.seqcycle AS cycles,
         pg_catalog.has_sequence_privilege(s.seqrelid, 'SELECT, USAGE') AS "isReadable"
  FROM pg_catalog.pg_sequence s WHERE s.seqrelid ${EQUALS} ANY (
    SELECT d.objid FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_attribute a ON a.attrelid ${EQUALS} d.refobjid AND a.attnum::int ${EQUALS} d.refobjsubid
    WHERE d.classid ${EQUALS} ${CLASS} AND d.refclassid ${EQUALS} ${CLASS} AND d.deptype ${EQUALS} ANY ('{a,i}'::"char"[])
      AND d.refobjid ${EQUALS} ${literal(qualified(table))}::regclass::oid AND a.attname ${EQUALS} ${literal(column)}::name
    UNION SELECT d.refobjid FROM pg_catalog.pg_attrdef f
      JOIN pg_catalog.pg_attribute a ON a.attrelid ${EQUALS} f.adrelid AND a.attnum ${EQUALS} f.adnum
      JOIN pg_catalog.pg_depend d ON d.classid ${EQUALS} 'pg_catalog.pg_attrdef'::regclass::oid AND d.objid ${EQUALS} f.oid
        AND d.refclassid ${EQUALS} ${CLASS}
    WHERE f.adrelid ${EQUALS} ${literal(qualified(table))}::regclass::oid AND a.attname ${EQUALS} ${literal(column)}::name)) sequences`;

const CLASS = `'pg_catalog.pg_class'::regclass::oid`;

/**
 * The last number that was handed out. Null if a sequence cannot be read, counts down or cycles, or before its first
 * number.
 */
export const sequenceEnd = (table: TableName, column: string): string => /* sql */ `(
  SELECT CASE WHEN pg_catalog.bool_and("isReadable" AND increment ${GREATER} 0::bigint AND NOT cycles)
    THEN pg_catalog.max(CASE WHEN "isReadable" THEN pg_catalog.pg_sequence_last_value(oid::regclass) END) END
  FROM ${sequencesOf(table, column)})`;

/**
 * Sequences that hand out several numbers at once, to a session (CACHE) or to an application (INCREMENT BY 50). A
 * sequence without a link to the column in the catalogs is found by the default names of JPA and Hibernate.
 */
const poolsOf = (table: TableName, column: string): string => /* sql */ `(
  SELECT name, cache, increment FROM own WHERE cache > 1 OR increment > 1
  UNION SELECT s.seqrelid::regclass::text, s.seqcache, s.seqincrement
  FROM pg_sequence s JOIN pg_class q ON q.oid = s.seqrelid JOIN pg_namespace n ON n.oid = q.relnamespace
  WHERE n.nspname = ${literal(table.schema)} AND (s.seqcache > 1 OR s.seqincrement > 1)
    AND lower(q.relname) IN (lower(${literal(`${table.table}_seq`)}), lower(${literal(`${table.table}_${column}_seq`)}), 'hibernate_sequence')
    AND NOT EXISTS (SELECT FROM own)) pools`;

/** Placed before a statement that uses `poolsOf`, because planning it only once saves most of the time. */
const withOwn = (table: TableName, column: string): string =>
  /* sql */ `WITH own AS MATERIALIZED (SELECT *, oid::regclass::text AS name FROM ${sequencesOf(table, column)})`;

/** Reasons why new rows may have lower keys than existing rows, although a server sets every key. */
export const keyOrigin = ({ table, keyColumn, keyType }: ReplicationKeyColumn): string =>
  keyType === 'integer'
    ? /* sql */ `${withOwn(table, keyColumn)}
      SELECT EXISTS (SELECT FROM ${poolsOf(table, keyColumn)}) AS "hasPool", ${COPIED} FROM ${givenTables([table])}`
    : keyOrigins([table]);

/** The same for keys that come from no sequence: one row for each table, in their order. */
export const keyOrigins = (tables: readonly TableName[]): string => /* sql */ `
  SELECT false AS "hasPool", ${COPIED} FROM ${givenTables(tables)} ORDER BY place`;

const givenTables = (tables: readonly TableName[]): string => /* sql */ `unnest(
    ARRAY[${tables.map((table) => literal(qualified(table))).join(', ')}]::regclass[]::oid[],
    ARRAY[${tables.map(({ schema }) => literal(`${ident(schema)}._increp_state`)).join(', ')}]::text[])
    WITH ORDINALITY AS given(oid, state, place)`;

const COPIED = /* sql */ `EXISTS (
           WITH RECURSIVE tables AS (
             SELECT given.oid
             UNION SELECT i.inhrelid FROM tables JOIN pg_inherits i ON i.inhparent = tables.oid)
           SELECT FROM tables JOIN pg_subscription_rel r ON r.srrelid = tables.oid) AS "isSubscribed",
         to_regclass(given.state) IS NOT NULL AS "isCopied"`;

interface ReplicationKeyColumn {
  readonly table: TableName;
  readonly keyColumn: string;
  readonly keyType: KeyType;
}

/** For `check`: how an integer key gets its values. */
export const describeSequences = (table: TableName, column: string): string => /* sql */ `
  ${withOwn(table, column)} SELECT (SELECT min(name) FROM ${poolsOf(table, column)} WHERE cache > 1) AS "cachedSequence",
         (SELECT json_build_object('name', name, 'increment', increment::text) FROM ${poolsOf(table, column)}
          WHERE increment > 1 ORDER BY name LIMIT 1) AS "pool",
         (SELECT min(name) FROM own WHERE NOT "isReadable") AS "unreadableSequence",
         EXISTS (SELECT FROM own) AS "hasSequence"`;
