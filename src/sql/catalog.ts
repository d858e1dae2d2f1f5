/** One catalog query describes many tables, because each round trip counts on a slow network. */
import type { TableName } from '../schema/names.ts';
import { EXTENSION_CATALOGS } from './extension-tables.ts';
import { literal, textArray } from './identifiers.ts';

/**
 * Changes with every change to the catalog rows that describe the relation `c`. It uses the transaction IDs that
 * wrote these rows. In-place updates by VACUUM and ANALYZE do not change it.
 */
const STAMP = /* sql */ `concat_ws(' ', c.oid, c.xmin, (
    SELECT string_agg(concat_ws(':', a.attnum, a.xmin), ' ' ORDER BY a.attnum)
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0))`;

/** The current stamp, computed fast. */
export const shapeStamp = ({ schema, table }: TableName): string => /* sql */ `
  SELECT ${STAMP} AS stamp FROM pg_class c
  WHERE c.relname = ${literal(table)} AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = ${literal(schema)})`;

/** For a column of the relation `c`; `a` is its row of pg_attribute. */
const IS_NOT_NULL = /* sql */ `a.attnotnull AND NOT EXISTS (
               -- Since PostgreSQL 18 it may have been promised for new rows only.
               SELECT FROM pg_constraint nn WHERE nn.conrelid = c.oid AND nn.contype = 'n' AND NOT nn.convalidated
                 AND nn.conkey = ARRAY[a.attnum])`;

/** For any row `a` with the type columns of pg_attribute; `t` is its type. Null for the default collation of the type. */
const COLLATION = /* sql */ `CASE WHEN a.attcollation <> t.typcollation THEN
               (SELECT format('%I.%I', cn.nspname, co.collname) FROM pg_collation co
                JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation) END`;

/** The base type of a type. Append TYPES_OF_COLUMNS. */
const MADE_OF = /* sql */ `
             'base', json_build_object(
               'type', format_type(base.oid, base.typmod),
               'isBuiltIn', base.isbuiltin, 'isArray', element.oid IS NOT NULL,
               'element', CASE WHEN element.oid IS NOT NULL THEN json_build_object(
                 'type', format_type(element.oid, coalesce(nullif(element.typmod, -1), base.typmod)),
                 'isBuiltIn', element.isbuiltin, 'isArray', element.isarray, 'delimiter', element.typdelim) END),
             'typeDetail', detail.parts`;

/**
 * Built-in types and arrays of them have no other base. `e` is the element type of the array `t`, if it is an array.
 */
const IS_PLAIN = /* sql */ `t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype NOT IN ('c', 'd')
               AND (e.oid IS NULL OR e.typnamespace = t.typnamespace AND e.typtype NOT IN ('c', 'd'))`;

/** The same for a plain type. Most tables have only plain types, and this takes a third of the time for them. */
const PLAIN_BASE = /* sql */ `CASE WHEN ${IS_PLAIN} THEN json_build_object(
               'type', format_type(t.oid, a.atttypmod), 'isBuiltIn', true, 'isArray', e.oid IS NOT NULL,
               'element', CASE WHEN e.oid IS NOT NULL THEN json_build_object(
                 'type', format_type(e.oid, a.atttypmod), 'isBuiltIn', true, 'isArray', false, 'delimiter', e.typdelim) END) END`;

/** For a generated column of the relation `c`. */
const EXPRESSION = /* sql */ `CASE WHEN a.attgenerated <> '' THEN
               (SELECT pg_get_expr(g.adbin, g.adrelid) FROM pg_attrdef g WHERE g.adrelid = c.oid AND g.adnum = a.attnum) END`;

/** A column of the relation `c`, without its type. An array, because thousands of tables have many thousand columns. */
const COLUMN = /* sql */ `json_build_array(a.attname, a.attnum, a.atttypid::text, a.atttypmod, ${IS_NOT_NULL},
             ${COLLATION}, a.attgenerated, ${EXPRESSION}, a.attidentity)`;

/**
 * The relation `c` with its children and partitions, each as a row `l` of pg_class. Only a relation with children reads
 * pg_inherits, and no relation is locked, as pg_partition_tree() would do.
 */
export const TREE = /* sql */ `(
    WITH RECURSIVE tree AS (
      SELECT c.oid UNION
      SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid WHERE c.relhassubclass)
    SELECT l.* FROM tree JOIN pg_class l ON l.oid = tree.oid) l`;

/**
 * The files of the tables that store rows, whether rows are on another server, and the size: of the partitions, or of
 * the table itself without its children.
 */
const STORAGE = /* sql */ `
    SELECT coalesce(json_agg(l.oid::text || ':' || pg_relation_filenode(l.oid) ORDER BY l.oid) FILTER (
             WHERE c.relkind IN ('r', 'p') AND l.relkind = 'r' AND pg_relation_filenode(l.oid) IS NOT NULL), '[]') AS files,
           bool_or(l.relkind = 'f') AS "hasForeignRows",
           bool_or(l.relkind IN ('r', 'm') AND l.relam <> (SELECT oid FROM pg_am WHERE amname = 'heap')) AS "hasOwnStorage",
           sum(nullif(l.reltuples, -1)) FILTER (WHERE isown)::float8 AS rows,
           sum(l.relpages::bigint * 8192) FILTER (WHERE isown)::float8 AS bytes
    FROM ${TREE}, LATERAL (
      SELECT CASE c.relkind WHEN 'p' THEN l.relkind <> 'p' ELSE l.oid = c.oid END AS isown) own`;

/**
 * For a partitioned table: the locks of a statement that reads it, the locks that the server has room for, whether the role
 * may read each partition by its own name without a policy, and the columns that divide it at all levels. An expression
 * has no column.
 */
const PARTITIONS = /* sql */ `CASE WHEN c.relkind = 'p' THEN (
    SELECT json_build_object(
             'locks', count(*) + sum((SELECT count(*) FROM pg_index x WHERE x.indrelid = l.oid)),
             'room', current_setting('max_locks_per_transaction')::bigint
               * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint),
             'areReadable', bool_and(has_table_privilege(l.oid, 'SELECT') AND NOT row_security_active(l.oid)
               AND has_schema_privilege(l.relnamespace, 'USAGE')),
             'keys', (SELECT json_agg(DISTINCT a.attname)
               FROM ${TREE} JOIN pg_partitioned_table p ON p.partrelid = l.oid CROSS JOIN unnest(p.partattrs::int2[]) k(attnum)
               LEFT JOIN pg_attribute a ON a.attrelid = l.oid AND a.attnum = k.attnum AND k.attnum <> 0))
    FROM ${TREE}) END`;

/** The inputs of MADE_OF, after `FROM ... a`. */
const TYPES_OF_COLUMNS = /* sql */ `JOIN pg_type t ON t.oid = a.atttypid
    CROSS JOIN LATERAL (
      WITH RECURSIVE chain AS (
        SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, a.atttypmod AS typmod, 0 AS depth
        UNION ALL
        SELECT b.oid, b.typtype, b.typbasetype, b.typtypmod, chain.typtypmod, depth + 1
        FROM chain JOIN pg_type b ON b.oid = chain.typbasetype WHERE chain.typtype = 'd')
      SELECT b.oid, chain.typmod, b.typelem, b.typtype, b.typrelid, b.typarray,
             b.typnamespace = 'pg_catalog'::regnamespace AND b.typtype <> 'c' AS isbuiltin
      FROM chain JOIN pg_type b ON b.oid = chain.oid ORDER BY depth DESC LIMIT 1) base
    LEFT JOIN LATERAL (
      WITH RECURSIVE chain AS (
        SELECT e.oid, e.typtype, e.typbasetype, e.typtypmod, -1 AS typmod, 0 AS depth, e.typdelim
        FROM pg_type e WHERE e.oid = base.typelem AND e.typarray = base.oid
        UNION ALL
        SELECT b.oid, b.typtype, b.typbasetype, b.typtypmod, chain.typtypmod, depth + 1, chain.typdelim
        FROM chain JOIN pg_type b ON b.oid = chain.typbasetype WHERE chain.typtype = 'd')
      SELECT b.oid, chain.typmod, chain.typdelim, b.typrelid,
             b.typnamespace = 'pg_catalog'::regnamespace AND b.typtype <> 'c' AS isbuiltin,
             EXISTS (SELECT FROM pg_type i WHERE i.oid = b.typelem AND i.typarray = b.oid) AS isarray
      FROM chain JOIN pg_type b ON b.oid = chain.oid ORDER BY depth DESC LIMIT 1) element ON true
    LEFT JOIN LATERAL (
      WITH RECURSIVE made_of AS (
        SELECT coalesce(element.oid, base.oid) AS oid, false AS isinside, '' AS mark, '' AS owner
        WHERE NOT coalesce(element.isbuiltin, base.isbuiltin)
        UNION
        SELECT inside.oid, true, '>', ' of ' || format_type(inside.oid, NULL)
        FROM made_of JOIN pg_type m ON m.oid = made_of.oid CROSS JOIN LATERAL (
          SELECT m.typbasetype AS oid WHERE m.typtype = 'd'
          UNION ALL SELECT e.oid FROM pg_type e WHERE e.oid = m.typelem AND e.typarray = m.oid
          UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE m.oid IN (r.rngtypid, r.rngmultitypid)
          UNION ALL SELECT f.atttypid FROM pg_attribute f
            WHERE m.typtype = 'c' AND f.attrelid = m.typrelid AND f.attnum > 0 AND NOT f.attisdropped) inside)
      SELECT json_agg(mark || part || owner ORDER BY isinside, owner, place) AS parts FROM (
        SELECT mark, owner, isinside, '=' || enumlabel AS part, enumsortorder AS place
        FROM made_of JOIN pg_enum ON enumtypid = made_of.oid
        UNION ALL
        SELECT mark, owner, isinside, '.' || f.attname || ' ' || format_type(f.atttypid, f.atttypmod), f.attnum
        FROM made_of JOIN pg_type m ON m.oid = made_of.oid AND m.typtype = 'c'
        JOIN pg_attribute f ON f.attrelid = m.typrelid AND f.attnum > 0 AND NOT f.attisdropped) parts) detail ON true`;

const WANTED = (tables: readonly TableName[]): string => /* sql */ `
  unnest(${textArray(tables.map(({ schema }) => schema))}, ${textArray(tables.map(({ table }) => table))}) wanted(schema, name)`;

const NAMED = /* sql */ `
  JOIN pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_class c ON c.relname = wanted.name AND c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`;

/**
 * One row for each type and modifier in the columns of these relations. The base is null if the type is not plain: it is the
 * input of DESCRIBE_TYPES then.
 */
export const describeTypesOf = (tables: readonly TableName[]): string => /* sql */ `
  SELECT a.atttypid::text AS type, a.atttypmod AS modifier, format_type(a.atttypid, a.atttypmod) AS name, ${PLAIN_BASE} AS base
  FROM (SELECT DISTINCT a.atttypid, a.atttypmod FROM ${WANTED(tables)} ${NAMED}
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) a
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid`;

/**
 * The trigger t fires before each row that increp writes. The bits of pg_trigger.h: 1 for each row, 2 before, 4 INSERT, 16
 * UPDATE.
 */
export const IS_ROW_TRIGGER = /* sql */ `NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
  AND t.tgtype & 3 = 3 AND t.tgtype & 20 <> 0`;

/** One row per relation, shaped like `relationRow` in postgres/catalog.ts. Shares its message with other statements. */
export const describeRelationsNamed = (tables: readonly TableName[]): string => /* sql */ `
  SELECT n.nspname AS schema, c.relname AS table, c.oid::text AS oid, ${STAMP} AS stamp, c.relkind AS kind,
         c.relpersistence = 'u' AS "isUnlogged",
         c.relhasrules AS "hasRules", c.relhastriggers AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND ${IS_ROW_TRIGGER}) AS "hasRowTriggers",
         c.relhassubclass OR c.relkind = 'p' AS "hasChildren",
         storage."hasForeignRows", storage."hasOwnStorage", extensions.*,
         has_table_privilege(c.oid, 'SELECT') AS "canSelectTable",
         obj_description(c.oid, 'pg_class') AS comment, pg_get_userbyid(c.relowner) AS owner,
         has_any_column_privilege(c.oid, 'SELECT') AS "canSelect",
         row_security_active(c.oid) AS "filtersRows",
         storage.files, ${PARTITIONS} AS partitions,
         (SELECT coalesce(json_agg(DISTINCT k.confrelid::text), '[]') FROM pg_constraint k
          WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid <> c.oid) AS "references",
         storage.rows AS "estimatedRows", storage.bytes,
         cols.columns, cols."unreadableColumns", cols."demandedColumns", idx."uniqueKeys", idx."indexedColumns", seq."ownedSequences"
  FROM ${WANTED(tables)}
  CROSS JOIN (SELECT ${EXTENSION_CATALOGS}) extensions ${NAMED}
  CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(${COLUMN} ORDER BY a.attnum), '[]') AS columns,
           coalesce(json_agg(a.attname ORDER BY a.attnum) FILTER (
             WHERE NOT has_column_privilege(c.oid, a.attnum, 'SELECT')), '[]') AS "unreadableColumns",
           coalesce(json_agg(a.attname ORDER BY a.attnum) FILTER (
             WHERE a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND t.typdefault IS NULL), '[]') AS "demandedColumns"
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) cols
  CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_object('index', ic.relname, 'columns', key.names))
             FILTER (WHERE i.indisunique AND i.indimmediate AND i.indpred IS NULL AND key.isplain), '[]') AS "uniqueKeys",
           coalesce(json_agg(key.names -> 0) FILTER (
             WHERE am.amname = 'btree' AND i.indpred IS NULL AND i.indkey[0] <> 0), '[]') AS "indexedColumns"
    FROM pg_index i
    JOIN pg_class ic ON ic.oid = i.indexrelid
    JOIN pg_am am ON am.oid = ic.relam
    CROSS JOIN LATERAL (
      SELECT json_agg(a.attname ORDER BY k.place) AS names, bool_and(k.attnum <> 0) AS isplain
      FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
      LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
      WHERE k.place <= i.indnkeyatts) key
    WHERE c.relhasindex AND i.indrelid = c.oid AND i.indisvalid AND i.indisready) idx
  CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_object('schema', sn.nspname, 'table', s.relname)), '[]') AS "ownedSequences"
    FROM pg_depend d
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_namespace sn ON sn.oid = s.relnamespace
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
      AND d.deptype IN ('a', 'i')) seq
  CROSS JOIN LATERAL (${STORAGE}) storage`;

/** $1 oids of types, $2 type modifiers. Returns the base of each type, for columns whose `base` is null. */
export const DESCRIBE_TYPES = /* sql */ `
  SELECT a.atttypid::text AS type, a.atttypmod AS modifier, json_build_object(${MADE_OF}) AS made
  FROM (SELECT DISTINCT * FROM unnest($1::oid[], $2::int[]) AS given(atttypid, atttypmod)) a
  ${TYPES_OF_COLUMNS}`;

/**
 * $1 names, $2 oids of types, $3 type modifiers, as the server returns them with the result of a statement; $4 names
 * of functions. One row: the columns, each shaped like `columnSchema`, the positions (from 1) of columns that no
 * table can have, and the volatile functions.
 */
export const DESCRIBE_COLUMNS = /* sql */ `
  SELECT (SELECT coalesce(json_agg(json_build_object(
             'name', a.attname, 'position', 0, 'type', format_type(a.atttypid, a.atttypmod), ${MADE_OF},
             'isNotNull', false, 'collation', NULL, 'generated', '', 'expression', NULL, 'identity', '') ORDER BY a.place), '[]')
          FROM unnest($1::text[], $2::oid[], $3::int[]) WITH ORDINALITY AS a(attname, atttypid, atttypmod, place)
          ${TYPES_OF_COLUMNS}) AS columns,
         ARRAY(SELECT place::int FROM unnest($2::oid[]) WITH ORDINALITY AS given(type, place)
               JOIN pg_type t ON t.oid = type AND t.typtype = 'p' ORDER BY 1) AS "withoutType",
         (SELECT coalesce(json_agg(json_build_object('name', proname, 'isVolatile', isvolatile)), '[]') FROM (
            SELECT proname, bool_or(provolatile = 'v') AS isvolatile FROM pg_proc
            WHERE proname = ANY ($4::text[]) AND provolatile <> 'i' GROUP BY 1) f) AS functions`;

/** $1 schemas. Names to suggest if a configured table does not exist. */
export const RELATION_NAMES = /* sql */ `
  SELECT n.nspname AS schema, c.relname AS "table" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition ORDER BY 2`;

export interface LikePattern {
  readonly schema: string;
  /** A pattern for LIKE. */
  readonly like: string;
}

/**
 * `marks`: names, and the beginning of a comment, of tables of increp. Without parameters, so that it is one message.
 * Includes a partitioned table but not its partitions. Excludes tables without columns, and tables of extensions,
 * because the extension at the destination fills its own tables.
 */
export const findTablesLike = (
  wanted: readonly LikePattern[],
  marks: { readonly names: readonly string[]; readonly comment: string },
): string => /* sql */ `
  SELECT n.nspname AS schema, c.relname AS "table" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND c.relname <> ALL (${textArray(marks.names)})
    AND NOT starts_with(coalesce(obj_description(c.oid, 'pg_class'), ''), ${literal(marks.comment)})
    AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    AND EXISTS (SELECT FROM unnest(${textArray(wanted.map(({ schema }) => schema))}, ${textArray(wanted.map(({ like }) => like))}) wanted(schema, name)
                WHERE n.nspname = wanted.schema AND c.relname LIKE wanted.name)`;

/** The schemas of users where the role may create tables. */
export const SCHEMAS_TO_CREATE_IN = /* sql */ `(
  SELECT coalesce(json_agg(s.nspname ORDER BY s.nspname), '[]') FROM pg_namespace s
  WHERE s.nspname !~ '^pg_' AND s.nspname <> 'information_schema'
    AND has_schema_privilege(s.oid, 'USAGE') AND has_schema_privilege(s.oid, 'CREATE'))`;

/**
 * For each of these schemas, whether it exists, and whether the role may use it and create in it. If not, the other
 * schemas.
 */
export const describeSchemasNamed = (schemas: readonly string[]): string => /* sql */ `
  SELECT wanted.name, n.oid IS NOT NULL AS exists,
         coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS "canUse",
         coalesce(has_schema_privilege(n.oid, 'CREATE'), false) AS "canCreate",
         has_database_privilege(current_database(), 'CREATE') AS "canCreateSchema",
         CASE WHEN has_schema_privilege(n.oid, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE') THEN '[]'
              ELSE ${SCHEMAS_TO_CREATE_IN} END AS "otherSchemas",
         current_user AS role, current_database() AS database
  FROM unnest(${textArray(schemas)}) wanted(name) LEFT JOIN pg_namespace n ON n.nspname = wanted.name`;
