/** User-defined types: reads them on both sides, and creates them at the destination. */
import type { TableName } from '../schema/names.ts';
import type { NewLabel } from '../schema/native-types.ts';
import { ident, literal, qualified } from './identifiers.ts';

/** One row, shaped like `typeReferenceSchema`. */
const reference = (oid: string, modifier: string): string => /* sql */ `
  (SELECT json_build_object('printed', format_type(r.oid, ${modifier}), 'schema', rn.nspname, 'name', re.typname,
     'suffix', substr(format_type(r.oid, ${modifier}), length(format('%I.%I', rn.nspname, re.typname)) + 1))
   FROM pg_type r
   JOIN pg_type re ON re.oid = coalesce((SELECT i.oid FROM pg_type i WHERE i.oid = r.typelem AND i.typarray = r.oid), r.oid)
   JOIN pg_namespace rn ON rn.oid = re.typnamespace WHERE r.oid = ${oid})`;

/** The qualified name of an object. */
const named = (table: string, column: string, schema: string, oid: string): string =>
  `(SELECT format('%I.%I', sn.nspname, s.${column}) FROM ${table} s JOIN pg_namespace sn ON sn.oid = s.${schema} WHERE s.oid = ${oid})`;

/**
 * A text that is the same for the same order on any server. The catalog columns depend on the version. All forms of C
 * are equal.
 */
const ordered = (row: string, prefix: string): string => /* sql */ `(
  SELECT CASE WHEN locale ~* '^(C|POSIX|C[.]utf-?8)$' AND provider <> 'i' THEN 'C'
              ELSE concat_ws(' ', CASE provider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
                             regexp_replace(locale, 'utf-?8$', 'UTF-8', 'i'), rules) END
  FROM (SELECT coalesce(${row} ->> '${prefix}locprovider', ${row} ->> '${prefix}provider', 'c') AS provider,
               coalesce(${row} ->> '${prefix}locale', ${row} ->> '${prefix}iculocale', ${row} ->> '${prefix}collate') AS locale,
               ${row} ->> '${prefix}icurules' AS rules) o)`;

/** The order of the database, for the default collation. */
const ORDER_OF_DATABASE = /* sql */ `(
  SELECT ${ordered('o.row', 'dat')} FROM (SELECT to_jsonb(d) AS row FROM pg_database d WHERE d.datname = current_database()) o)`;

/** Other properties of a range type, shaped like `rangeSchema`; null for other types. */
const RANGE = /* sql */ `(
  SELECT json_build_object(
    'opclass', ${named('pg_opclass', 'opcname', 'opcnamespace', 'g.rngsubopc')},
    'isDefaultOpclass', (SELECT opcdefault FROM pg_opclass WHERE oid = g.rngsubopc),
    'collation', (SELECT CASE WHEN c.collprovider <> 'd' THEN format('%I.%I', cn.nspname, c.collname) END
                  FROM pg_collation c JOIN pg_namespace cn ON cn.oid = c.collnamespace WHERE c.oid = g.rngcollation),
    'order', (SELECT CASE WHEN c.row ->> 'collprovider' = 'd' THEN ${ORDER_OF_DATABASE} ELSE ${ordered('c.row', 'coll')} END
              FROM (SELECT to_jsonb(r) AS row FROM pg_collation r WHERE r.oid = g.rngcollation) c),
    'canonical', ${named('pg_proc', 'proname', 'pronamespace', 'g.rngcanonical')},
    'subtypeDiff', ${named('pg_proc', 'proname', 'pronamespace', 'g.rngsubdiff')},
    'multirange', (SELECT json_build_object('schema', mn.nspname, 'name', m.typname) FROM pg_type m
                   JOIN pg_namespace mn ON mn.oid = m.typnamespace WHERE m.oid = g.rngmultitypid))
  FROM pg_range g WHERE g.rngtypid = t.oid)`;

/** Columns of a query over pg_type t and pg_namespace n, shaped like `typeDefinitionSchema`. */
const DEFINITION = /* sql */ `
  n.nspname AS schema, t.typname AS name, format_type(t.oid, NULL) AS printed, t.typtype AS kind,
  EXISTS (SELECT FROM pg_class rc WHERE rc.oid = t.typrelid AND rc.relkind <> 'c') AS "isRowType",
  (SELECT x.extname FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
   WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass
     AND d.deptype = 'e') AS extension,
  (SELECT coalesce(json_agg(l.enumlabel ORDER BY l.enumsortorder), '[]') FROM pg_enum l
   WHERE l.enumtypid = t.oid) AS labels,
  (SELECT coalesce(json_agg(pg_get_constraintdef(k.oid) ORDER BY pg_get_constraintdef(k.oid) COLLATE "C"), '[]')
   FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c') AS checks,
  t.typnotnull AS "isNotNull",
  (SELECT coalesce(json_agg(json_build_object('name', p.name, 'type', ${reference('p.oid', 'p.modifier')})
            ORDER BY p.place), '[]')
   FROM (SELECT '' AS name, t.typbasetype AS oid, t.typtypmod AS modifier, 0 AS place WHERE t.typtype = 'd'
         UNION ALL SELECT f.attname, f.atttypid, f.atttypmod, f.attnum FROM pg_attribute f
           WHERE t.typtype = 'c' AND f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped
         UNION ALL SELECT '', g.rngsubtype, -1, 0 FROM pg_range g WHERE g.rngtypid = t.oid
         UNION ALL SELECT '', g.rngtypid, -1, 0 FROM pg_range g WHERE g.rngmultitypid = t.oid) p) AS parts,
  ${RANGE} AS range,
  (SELECT coalesce(json_agg(json_build_object('signature', f.oid::regprocedure::text,
            'definition', CASE WHEN l.lanname NOT IN ('c', 'internal') THEN pg_get_functiondef(f.oid) END) ORDER BY f.oid), '[]')
   FROM pg_proc f JOIN pg_language l ON l.oid = f.prolang
   WHERE f.pronamespace <> 'pg_catalog'::regnamespace AND f.oid IN (
     SELECT d.refobjid FROM pg_constraint k JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
     WHERE k.contypid = t.oid AND d.refclassid = 'pg_proc'::regclass
     UNION SELECT unnest(ARRAY[g.rngcanonical, g.rngsubdiff]) FROM pg_range g WHERE g.rngtypid = t.oid)) AS functions`;

/**
 * $1 oids of relations, $2 and $3 oids and modifiers of further types. Returns the types of their columns, and the
 * user-defined types among them.
 */
export const DESCRIBE_SOURCE_TYPES = /* sql */ `
  WITH RECURSIVE used AS (
    SELECT DISTINCT a.atttypid AS oid, a.atttypmod AS modifier FROM pg_attribute a
    WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
    UNION SELECT * FROM unnest($2::oid[], $3::int[])),
  made_of AS (
    SELECT oid FROM used
    UNION
    SELECT inside.oid FROM made_of JOIN pg_type m ON m.oid = made_of.oid CROSS JOIN LATERAL (
      SELECT m.typbasetype AS oid WHERE m.typtype = 'd'
      UNION ALL SELECT e.oid FROM pg_type e WHERE e.oid = m.typelem AND e.typarray = m.oid
      UNION ALL SELECT g.rngsubtype FROM pg_range g WHERE g.rngtypid = m.oid
      UNION ALL SELECT g.rngtypid FROM pg_range g WHERE g.rngmultitypid = m.oid
      UNION ALL SELECT f.atttypid FROM pg_attribute f
        WHERE m.typtype = 'c' AND f.attrelid = m.typrelid AND f.attnum > 0 AND NOT f.attisdropped) inside
    WHERE m.typnamespace <> 'pg_catalog'::regnamespace)
  SELECT (SELECT coalesce(json_agg(${reference('used.oid', 'used.modifier')}), '[]') FROM used) AS references,
         (SELECT coalesce(json_agg(definition), '[]') FROM (
            SELECT ${DEFINITION} FROM made_of JOIN pg_type t ON t.oid = made_of.oid
            JOIN pg_namespace n ON n.oid = t.typnamespace
            WHERE n.nspname <> 'pg_catalog'
              AND NOT EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid)) definition)
           AS definitions`;

/**
 * $1 schemas and $2 names of types, in pairs; $3 extensions, whose types may be in any schema; $4 signatures of
 * functions.
 */
export const DESCRIBE_DESTINATION_TYPES = /* sql */ `
  SELECT (SELECT coalesce(json_agg(found), '[]') FROM (
            SELECT ${DEFINITION}, pg_has_role(t.typowner, 'USAGE') AS "isOwned",
                   coalesce(has_type_privilege(t.oid, 'USAGE') AND has_schema_privilege(n.oid, 'USAGE'), false) AS "canUse"
            FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
            WHERE (n.nspname, t.typname) IN (SELECT * FROM unnest($1::name[], $2::name[]))
              OR t.typname = ANY ($2::name[]) AND EXISTS (
                SELECT FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
                WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
                  AND d.refclassid = 'pg_extension'::regclass AND x.extname = ANY ($3::name[]))) found) AS types,
         (SELECT coalesce(json_agg(json_build_object(
                   'schema', n.nspname, 'canCreate', coalesce(has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE'), false))), '[]')
          FROM pg_namespace n WHERE n.nspname = ANY ($1::name[])) AS schemas,
         ARRAY(SELECT f FROM unnest($4::text[]) f WHERE to_regprocedure(f) IS NOT NULL) AS functions`;

const typeName = ({ schema, name }: { readonly schema: string; readonly name: string }): string =>
  qualified({ schema, table: name } satisfies TableName);

type Name = Parameters<typeof typeName>[0];

export const createEnum = (name: Name, labels: readonly string[]): string =>
  /* sql */ `CREATE TYPE ${typeName(name)} AS ENUM (${labels.map(literal).join(', ')})`;

/** `base` in the format of the destination, `checks` in the format of pg_get_constraintdef(). */
export const createDomain = (
  name: Name,
  base: string,
  isNotNull: boolean,
  checks: readonly string[],
): string =>
  [
    /* sql */ `CREATE DOMAIN ${typeName(name)} AS ${base}`,
    ...(isNotNull ? ['NOT NULL'] : []),
    ...checks,
  ].join(' ');

export const createComposite = (
  name: Name,
  fields: readonly { readonly name: string; readonly type: string }[],
): string =>
  /* sql */ `CREATE TYPE ${typeName(name)} AS (${fields.map((field) => `${ident(field.name)} ${field.type}`).join(', ')})`;

export interface RangeOptions {
  readonly subtype: string;
  /** Qualified names as SQL; undefined if it is the default. */
  readonly opclass: string | undefined;
  readonly collation: string | undefined;
  readonly subtypeDiff: string | undefined;
  readonly multirange: Name;
}

export const createRange = (name: Name, range: RangeOptions): string => {
  const { subtype, opclass, collation, subtypeDiff, multirange } = range;
  const options = [
    `subtype = ${subtype}`,
    ...(opclass === undefined ? [] : [`subtype_opclass = ${opclass}`]),
    ...(collation === undefined ? [] : [`collation = ${collation}`]),
    ...(subtypeDiff === undefined ? [] : [`subtype_diff = ${subtypeDiff}`]),
    `multirange_type_name = ${typeName(multirange)}`,
  ];
  return /* sql */ `CREATE TYPE ${typeName(name)} AS RANGE (${options.join(', ')})`;
};

export const createExtension = (name: string): string => /* sql */ `CREATE EXTENSION ${ident(name)}`;

export const addLabel = (name: Name, { label, after, before }: NewLabel): string => {
  const place =
    after !== undefined
      ? ` AFTER ${literal(after)}`
      : before !== undefined
        ? ` BEFORE ${literal(before)}`
        : '';
  return /* sql */ `ALTER TYPE ${typeName(name)} ADD VALUE IF NOT EXISTS ${literal(label)}${place}`;
};

export const grantUsage = (name: Name, role: string): string =>
  /* sql */ `GRANT USAGE ON TYPE ${typeName(name)} TO ${ident(role)}`;
