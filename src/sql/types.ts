/** User-defined types: describing them on either side, and making them at the destination. */
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
  (SELECT concat_ws(' ', oc.opcname, pc.proname) FROM pg_range g JOIN pg_opclass oc ON oc.oid = g.rngsubopc
   LEFT JOIN pg_proc pc ON pc.oid = g.rngcanonical WHERE g.rngtypid = t.oid) AS "rangeDetail"`;

/**
 * $1 oids of relations, $2 and $3 oids and modifiers of types besides. What their columns are declared as, and the
 * user-defined types behind it.
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

/** $1 schemas and $2 names of types, in pairs; $3 extensions, whose types of these names may be in any schema. */
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
          FROM pg_namespace n WHERE n.nspname = ANY ($1::name[])) AS schemas`;

const typeName = ({ schema, name }: { readonly schema: string; readonly name: string }): string =>
  qualified({ schema, table: name } satisfies TableName);

type Name = Parameters<typeof typeName>[0];

export const createEnum = (name: Name, labels: readonly string[]): string =>
  /* sql */ `CREATE TYPE ${typeName(name)} AS ENUM (${labels.map(literal).join(', ')})`;

/** `base` as the destination prints it, `checks` as pg_get_constraintdef() does. */
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

export const createRange = (name: Name, subtype: string): string =>
  /* sql */ `CREATE TYPE ${typeName(name)} AS RANGE (subtype = ${subtype})`;

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
