/** Queries of `init`. */
import type { TableName } from '../schema/names.ts';
import { SCHEMAS_TO_CREATE_IN, TREE } from './catalog.ts';
import { qualified } from './identifiers.ts';

/** The schemas with tables to copy, and the number of tables. */
export const SCHEMAS = /* sql */ `
  SELECT n.nspname AS name, (count(*) FILTER (WHERE c.relkind NOT IN ('v', 'm')))::int AS tables,
         (count(*) FILTER (WHERE c.relkind IN ('v', 'm')))::int AS views
  FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE')
  GROUP BY n.nspname ORDER BY n.nspname = 'public' DESC, count(c.oid) DESC, n.nspname`;

/** Where the role may create tables. */
export const SCHEMA_RIGHTS = /* sql */ `
  SELECT has_database_privilege(current_database(), 'CREATE') AS "canCreateSchema", ${SCHEMAS_TO_CREATE_IN} AS writable`;

/** $1 schema. With the table that each divides. */
export const PARTITIONS = /* sql */ `
  SELECT c.relname AS name, r.relname AS root
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class r ON r.oid = pg_partition_root(c.oid) AND r.relnamespace = c.relnamespace
  WHERE n.nspname = $1 AND c.relispartition AND c.relkind IN ('r', 'p', 'f')`;

/**
 * $1 oids. tgtype: 1 row, 2 before, 16 update. A table that was never analyzed has no page count in the catalog, so
 * its files are read. For other tables this would only wait for locks. A table under an exclusive lock counts as empty.
 */
export const TABLE_HINTS = /* sql */ `
  SELECT c.oid::text AS oid,
    (SELECT json_agg(a.attname ORDER BY k.place)
     FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
     WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts) AS "primaryKey",
    (SELECT coalesce(json_agg(json_build_array(a.attname, pg_get_expr(d.adbin, d.adrelid))), '[]')
     FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
     WHERE d.adrelid = c.oid AND a.attgenerated = '') AS defaults,
    (SELECT coalesce(json_agg(json_build_object('name', t.tgname, 'source', p.prosrc,
              'args', string_to_array(encode(t.tgargs, 'escape'), '\\000')) ORDER BY t.tgname), '[]')
     FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
     WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 19 = 19) AS "updateTriggers",
    (SELECT sum(pg_relation_size(l.oid))::float8 FROM ${TREE}
     WHERE l.relpages = 0 AND l.relkind IN ('r', 'm') AND (c.relkind = 'p' OR l.oid = c.oid)
       AND l.oid NOT IN (SELECT relation FROM pg_locks WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))) AS "unanalyzedBytes"
  FROM pg_class c WHERE c.oid = ANY ($1::oid[])`;

/** From a state table. A name of a state may end with the pipeline (`sharedName`). */
export const writersOf = (states: TableName): string => /* sql */ `
  SELECT CASE WHEN right(table_name, length(pipeline) + 1) = '@' || pipeline
              THEN left(table_name, -length(pipeline) - 1) ELSE table_name END AS "table", pipeline
  FROM ${qualified(states)}`;
