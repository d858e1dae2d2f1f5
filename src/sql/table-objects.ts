/** Indexes, constraints and defaults of tables: what both catalogs say, and the statements that create and drop them. */
import type { TableName } from '../schema/names.ts';
import { ident, literal, qualified, textArray } from './identifiers.ts';
import { asUsual } from './search-path.ts';

const NAMES = (numbers: string, relation: string) => /* sql */ `ARRAY(SELECT a.attname::text
      FROM unnest(${numbers}) WITH ORDINALITY k(number, place)
      JOIN pg_attribute a ON a.attrelid = ${relation} AND a.attnum = k.number ORDER BY k.place)`;

const PRINTED = (
  numbers: string,
  relation: string,
) => /* sql */ `(SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place)
      FROM unnest(${numbers}) WITH ORDINALITY k(number, place)
      JOIN pg_attribute a ON a.attrelid = ${relation} AND a.attnum = k.number)`;

/** The text after `head`, or NULL. */
const AFTER = (text: string, head: string) =>
  /* sql */ `CASE WHEN starts_with(${text}, ${head}) THEN substr(${text}, length(${head}) + 1) END`;

const INDEXES = /* sql */ `(
    SELECT coalesce(json_agg(json_build_object(
      'name', ic.relname, 'isUnique', i.indisunique, 'isValid', i.indisvalid AND i.indisready,
      'comment', obj_description(ic.oid, 'pg_class'),
      'definition', ${AFTER('printed.definition', 'printed.head')},
      'columns', ${NAMES('i.indkey::int2[]', 'c.oid')},
      'printed', ARRAY(SELECT quote_ident(a.attname) FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number ORDER BY k.place),
      'uses', ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND (a.attnum = ANY (i.indkey::int2[]) OR
        EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = ic.oid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum))
        ORDER BY a.attnum),
      'isPlain', i.indexprs IS NULL AND i.indpred IS NULL,
      'constraint', CASE WHEN k.oid IS NOT NULL THEN json_build_object(
        'name', k.conname, 'type', k.contype, 'isDeferrable', k.condeferrable, 'isDeferred', k.condeferred,
        'comment', obj_description(k.oid, 'pg_constraint'), 'definition', pg_get_constraintdef(k.oid)) END
    ) ORDER BY ic.relname), '[]')
    FROM pg_index i
    JOIN pg_class ic ON ic.oid = i.indexrelid
    LEFT JOIN pg_constraint k ON k.conindid = ic.oid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')
    CROSS JOIN LATERAL (SELECT pg_get_indexdef(ic.oid) AS definition,
      format('CREATE %sINDEX %I ON %s%I.%I USING ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END,
             ic.relname, CASE WHEN ic.relkind = 'I' THEN 'ONLY ' ELSE '' END, n.nspname, c.relname) AS head) printed
    WHERE i.indrelid = c.oid)`;

const CHECKS = /* sql */ `(
    SELECT coalesce(json_agg(json_build_object(
      'name', k.conname, 'definition', pg_get_constraintdef(k.oid), 'columns', ${NAMES('k.conkey', 'c.oid')},
      'isValid', k.convalidated, 'comment', obj_description(k.oid, 'pg_constraint')) ORDER BY k.conname), '[]')
    FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c')`;

const FOREIGN_KEYS = /* sql */ `(
    SELECT coalesce(json_agg(json_build_object(
      'name', k.conname, 'columns', ${NAMES('k.conkey', 'c.oid')},
      'parent', json_build_object('schema', pn.nspname, 'table', p.relname),
      'parentColumns', ${NAMES('k.confkey', 'p.oid')},
      'rest', ${AFTER('printed.definition', 'printed.head')},
      'isValid', k.convalidated, 'comment', obj_description(k.oid, 'pg_constraint')) ORDER BY k.conname), '[]')
    FROM pg_constraint k
    JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
    CROSS JOIN LATERAL (SELECT pg_get_constraintdef(k.oid) AS definition,
      format('FOREIGN KEY (%s) REFERENCES %I.%I(%s)', ${PRINTED('k.conkey', 'c.oid')}, pn.nspname, p.relname,
             ${PRINTED('k.confkey', 'p.oid')}) AS head) printed
    WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conparentid = 0)`;

const DEFAULTS = /* sql */ `(
    SELECT coalesce(json_agg(json_build_object(
      'column', a.attname, 'expression', pg_get_expr(f.adbin, f.adrelid),
      'hasSequence', EXISTS (SELECT FROM pg_depend d JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
        WHERE d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass)
    ) ORDER BY a.attnum), '[]')
    FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
    WHERE f.adrelid = c.oid AND a.attgenerated = '')`;

/** One row for each table, shaped like `objectsRow`. Run it with an empty search_path, so that all names are complete. */
export const describeObjects = (tables: readonly TableName[]): string => /* sql */ `
  SELECT n.nspname AS schema, c.relname AS "table", c.relkind AS kind,
         (SELECT coalesce(json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod))
                   ORDER BY a.attnum), '[]')
          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
         ${INDEXES} AS indexes, ${CHECKS} AS checks, ${FOREIGN_KEYS} AS "foreignKeys", ${DEFAULTS} AS defaults
  FROM unnest(${textArray(tables.map(({ schema }) => schema))}, ${textArray(tables.map(({ table }) => table))}) wanted(schema, name)
  JOIN pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_class c ON c.relname = wanted.name AND c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`;

/** `definition`: after USING, as the source prints it. */
export const createIndex = (
  table: TableName,
  {
    name,
    isUnique,
    definition,
  }: { readonly name: string; readonly isUnique: boolean; readonly definition: string },
  { isConcurrent }: { readonly isConcurrent: boolean },
): string =>
  /* sql */ `CREATE ${isUnique ? 'UNIQUE ' : ''}INDEX ${isConcurrent ? 'CONCURRENTLY ' : ''}${ident(name)} ON ${qualified(table)} USING ${definition}`;

/** Other sessions can read and write. */
export const dropIndexConcurrently = (schema: string, index: string): string =>
  /* sql */ `DROP INDEX CONCURRENTLY IF EXISTS ${qualified({ schema, table: index })}`;

export const commentOnIndex = (schema: string, index: string, comment: string): string =>
  asUsual(/* sql */ `COMMENT ON INDEX ${qualified({ schema, table: index })} IS ${literal(comment)}`);

/** $1 schema. Names of relations, which indexes share. */
export const NAMES_IN_SCHEMA = /* sql */ `
  SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = ANY ($2::text[])`;

const alter = (table: TableName, change: string): string =>
  /* sql */ `ALTER TABLE ${qualified(table)} ${change}`;

/** The constraint has the name of its index. */
export const addKey = (
  table: TableName,
  index: string,
  { kind, deferrable }: { readonly kind: string; readonly deferrable: string },
): string =>
  asUsual(
    alter(
      table,
      `ADD CONSTRAINT ${ident(index)} ${kind === 'primary key' ? 'PRIMARY KEY' : 'UNIQUE'} USING INDEX ${ident(index)}${deferrable}`,
    ),
  );

/** `definition`: as the source prints it, without NOT VALID. */
export const addConstraint = (
  table: TableName,
  name: string,
  definition: string,
  { isChecked }: { readonly isChecked: boolean },
): string => alter(table, `ADD CONSTRAINT ${ident(name)} ${definition}${isChecked ? '' : ' NOT VALID'}`);

/** Other sessions can read and write. */
export const validateConstraint = (table: TableName, name: string): string =>
  alter(table, `VALIDATE CONSTRAINT ${ident(name)}`);

export const commentOnConstraint = (table: TableName, name: string, comment: string): string =>
  asUsual(/* sql */ `COMMENT ON CONSTRAINT ${ident(name)} ON ${qualified(table)} IS ${literal(comment)}`);

export const removeConstraint = (table: TableName, name: string): string =>
  alter(table, `DROP CONSTRAINT ${ident(name)}`);

/** `expression`: as the source prints it. */
export const setDefault = (table: TableName, column: string, expression: string): string =>
  alter(table, `ALTER COLUMN ${ident(column)} SET DEFAULT ${expression}`);

export const dropDefault = (table: TableName, column: string): string =>
  alter(table, `ALTER COLUMN ${ident(column)} DROP DEFAULT`);

/** Other sessions can read. */
export const lockForKey = (table: TableName): string =>
  /* sql */ `LOCK TABLE ONLY ${qualified(table)} IN SHARE ROW EXCLUSIVE MODE`;

/** $1 schema, $2 table, $3 column. */
export const DEFAULT_OF = /* sql */ `
  SELECT pg_get_expr(f.adbin, f.adrelid) AS expression FROM pg_attrdef f
  JOIN pg_class c ON c.oid = f.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.adnum
  WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3`;
