/** Sequences behind the columns of tables, and the statements that create and set them. */
import type { TableName } from '../schema/names.ts';
import type { SequenceRange } from '../schema/sequence-value.ts';
import { ident, literal, qualified, textArray } from './identifiers.ts';

/** One row for each column that draws from a sequence, shaped like `sequenceRow`. Run it with an empty search_path. */
export const describeDrawnSequences = (tables: readonly TableName[]): string => /* sql */ `
  SELECT n.nspname AS schema, c.relname AS "table", a.attname AS column, a.attidentity AS identity,
         sn.nspname AS "sequenceSchema", s.relname AS sequence, drawn."isOwned", drawn.expression,
         format_type(q.seqtypid, NULL) AS type, q.seqstart::text AS start, q.seqincrement::text AS increment,
         q.seqmin::text AS min, q.seqmax::text AS max, q.seqcache::text AS cache, q.seqcycle AS "isCycling",
         CASE WHEN has_sequence_privilege(s.oid, 'SELECT') OR has_sequence_privilege(s.oid, 'USAGE')
           THEN pg_sequence_last_value(s.oid)::text END AS last,
         has_sequence_privilege(s.oid, 'SELECT') OR has_sequence_privilege(s.oid, 'USAGE') AS "canRead", current_user AS role,
         obj_description(s.oid, 'pg_class') AS comment
  FROM unnest(${textArray(tables.map(({ schema }) => schema))}, ${textArray(tables.map(({ table }) => table))}) wanted(schema, name)
  JOIN pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_class c ON c.relname = wanted.name AND c.relnamespace = n.oid
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  CROSS JOIN LATERAL (
    SELECT d.objid AS oid, true AS "isOwned", NULL AS expression FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
      AND d.refobjsubid = a.attnum AND d.deptype = 'i'
    UNION ALL
    SELECT d.refobjid, EXISTS (SELECT FROM pg_depend o WHERE o.classid = 'pg_class'::regclass AND o.objid = d.refobjid
             AND o.refclassid = 'pg_class'::regclass AND o.refobjid = c.oid AND o.refobjsubid = a.attnum AND o.deptype = 'a'),
           pg_get_expr(f.adbin, f.adrelid)
    FROM pg_attrdef f JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
    WHERE f.adrelid = c.oid AND f.adnum = a.attnum AND d.refobjid <> c.oid) drawn
  JOIN pg_class s ON s.oid = drawn.oid AND s.relkind = 'S'
  JOIN pg_namespace sn ON sn.oid = s.relnamespace
  JOIN pg_sequence q ON q.seqrelid = s.oid
  ORDER BY 1, 2, 3`;

/** Only sequences, except those of extensions. Parameters select them by schema and name. */
const lastValues = (parts: { readonly columns?: string; readonly where: string }): string => /* sql */ `
  SELECT n.nspname AS schema, s.relname AS sequence, q.seqincrement::text AS increment, readable.is AS "canRead",
         CASE WHEN readable.is THEN pg_sequence_last_value(s.oid)::text END AS last${parts.columns ?? ''}
  FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace JOIN pg_sequence q ON q.seqrelid = s.oid
  CROSS JOIN LATERAL (SELECT has_sequence_privilege(s.oid, 'SELECT') OR has_sequence_privilege(s.oid, 'USAGE') AS is) readable
  WHERE ${parts.where}
  ORDER BY 1, 2`;

/** $1 schemas. With the columns that own each sequence or draw from it. */
export const SEQUENCES_IN = lastValues({
  columns: /* sql */ `,
         coalesce((SELECT jsonb_agg(jsonb_build_object('schema', cn.nspname, 'table', c.relname, 'column', a.attname))
           FROM (SELECT d.refobjid AS "table", d.refobjsubid AS "column" FROM pg_depend d
                 WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
                 UNION
                 SELECT f.adrelid, f.adnum FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
                 WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid) used
           JOIN pg_class c ON c.oid = used."table" JOIN pg_namespace cn ON cn.oid = c.relnamespace
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = used."column"), '[]') AS users`,
  where: /* sql */ `n.nspname = ANY ($1::text[])
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = s.oid AND e.deptype = 'e')`,
});

/** $1 schemas, $2 names. */
export const LAST_VALUES_OF = lastValues({
  where: /* sql */ `(n.nspname, s.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
});

/** For statements on tables of users. */
export const extremesOf = (table: TableName, column: string): string => /* sql */ `
  SELECT pg_catalog.min(${ident(column)})::text AS min, pg_catalog.max(${ident(column)})::text AS max FROM ${qualified(table)}`;

/** $1 schema, $2 name. */
export const RELATION_CALLED = /* sql */ `
  SELECT c.relkind AS kind, obj_description(c.oid, 'pg_class') AS comment FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`;

/**
 * $1 schemas, $2 names of tables and sequences, $3 a column of each table, or null. One row for each that exists, shaped like
 * `rightsRow`.
 */
export const RIGHTS_ON = /* sql */ `
  SELECT n.nspname AS schema, c.relname AS relation, c.relkind = 'S' AS "isSequence",
         has_schema_privilege(n.oid, 'USAGE') AS "canUseSchema", has_schema_privilege(n.oid, 'CREATE') AS "canCreate",
         CASE WHEN a.attnum IS NULL THEN has_table_privilege(c.oid, 'SELECT')
           ELSE has_column_privilege(c.oid, a.attnum, 'SELECT') END AS "canSelect",
         has_table_privilege(c.oid, 'UPDATE') AS "canUpdate", pg_has_role(c.relowner, 'USAGE') AS "isOwner", current_user AS role
  FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY asked(schema, name, "column", place)
  JOIN pg_namespace n ON n.nspname = asked.schema
  JOIN pg_class c ON c.relname = asked.name AND c.relnamespace = n.oid
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = asked."column"
  ORDER BY asked.place`;

interface SequenceOptions extends SequenceRange {
  readonly type: string;
  readonly cache: string;
  readonly isCycling: boolean;
}

const optionsOf = ({ start, increment, min, max, cache, isCycling }: SequenceOptions): string =>
  `INCREMENT BY ${increment} MINVALUE ${min} MAXVALUE ${max} START WITH ${start} CACHE ${cache}${isCycling ? ' CYCLE' : ''}`;

export const createSequence = (name: TableName, options: SequenceOptions): string =>
  /* sql */ `CREATE SEQUENCE ${qualified(name)} AS ${options.type} ${optionsOf(options)}`;

export const commentOnSequence = (name: TableName, comment: string): string =>
  /* sql */ `COMMENT ON SEQUENCE ${qualified(name)} IS ${literal(comment)}`;

export const ownSequence = (name: TableName, table: TableName, column: string): string =>
  /* sql */ `ALTER SEQUENCE ${qualified(name)} OWNED BY ${qualified(table)}.${ident(column)}`;

export const drawFrom = (table: TableName, column: string, name: TableName): string =>
  /* sql */ `ALTER TABLE ${qualified(table)} ALTER COLUMN ${ident(column)} SET DEFAULT nextval(${literal(qualified(name))}::regclass)`;

export const addIdentity = (
  table: TableName,
  column: string,
  {
    name,
    identity,
    ...options
  }: SequenceOptions & { readonly name: TableName; readonly identity: 'a' | 'd' },
): string =>
  /* sql */ `ALTER TABLE ${qualified(table)} ALTER COLUMN ${ident(column)} ADD GENERATED ${identity === 'a' ? 'ALWAYS' : 'BY DEFAULT'} AS IDENTITY (SEQUENCE NAME ${qualified(name)} ${optionsOf(options)})`;

/** Users run this statement too. The next value is the one after `value`. */
export const setSequence = (name: TableName, value: string): string =>
  /* sql */ `SELECT pg_catalog.setval(${literal(qualified(name))}::regclass, ${literal(value)}::bigint)`;
