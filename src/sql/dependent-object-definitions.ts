/**
 * The dependent objects of a destination table, read before the table is exchanged for a new one. Each object comes
 * with the statement that creates it again. The server quotes the names (`%I`, `%L`, pg_get_...def) with an empty
 * search_path, so that every name is complete.
 */
import type { TableName } from '../schema/names.ts';
import { ident, qualified } from './identifiers.ts';
import { publicationsOf } from './publications.ts';

/** The table itself, or a view that reads from it. */
export interface BuiltRelation {
  readonly oid: string;
  readonly name: TableName;
  readonly kind: 'table' | 'view' | 'materialized view';
  readonly owner: string;
  readonly isOurs: boolean;
  /** The query of a view. */
  readonly definition: string | null;
  /** In the format of pg_class.reloptions. */
  readonly options: readonly string[];
  /** False for a materialized view that was never refreshed. */
  readonly isPopulated: boolean;
  readonly tablespace: string | null;
  /** The relations that a view reads from, among the table and its views. */
  readonly dependsOn: readonly string[];
}

export interface BuiltItem {
  /** The relation that it belongs to. */
  readonly oid: string;
  /**
   * When it can be created: on the staging table, under the name of the new table, or after the old table is dropped.
   */
  readonly stage: 'staging' | 'renamed' | 'dropped';
  /** For messages. */
  readonly what: string;
  /** It is dropped with any of these columns. */
  readonly columns: readonly string[];
  readonly sql: string;
  /** The statement for empty tables, without a check of rows. */
  readonly rehearsal: string | null;
  /** The statement that must run on the old object first. */
  readonly undo: string | null;
  /** The statement that locks the object, if it outlives the old table. It changes nothing. */
  readonly lock: string | null;
  /** Another table that is changed too. */
  readonly other: TableName | null;
}

export interface BuiltIndex {
  readonly name: string;
  /** pg_get_indexdef() up to and including USING, as increp can build it. */
  readonly head: string;
  readonly definition: string;
  readonly columns: readonly string[];
}

export interface DependentDefinitions {
  readonly table: BuiltRelation;
  /** The views on the table, nearest first. */
  readonly views: readonly BuiltRelation[];
  readonly items: readonly BuiltItem[];
  /** The indexes of the table, without the index of the unique key. */
  readonly indexes: readonly BuiltIndex[];
  /** Default expressions by column, including generated columns. */
  readonly defaults: Readonly<Record<string, string>>;
  /** Objects that cannot be created on another table, as text. */
  readonly obstacles: readonly string[];
}

/** $1 oid of the table. Returns it and its views, nearest first, including views on views. */
export const DESCRIBE_RELATIONS_ABOVE = /* sql */ `
  WITH RECURSIVE above AS (
    SELECT $1::oid AS oid, 0 AS depth
    UNION
    SELECT r.ev_class, above.depth + 1 FROM above
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = above.oid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> above.oid
    JOIN pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')),
  built AS (SELECT oid, max(depth) AS depth FROM above GROUP BY oid)
  SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS table, c.relkind AS kind,
         pg_get_userbyid(c.relowner) AS owner, pg_get_userbyid(c.relowner) = current_user AS "isOurs",
         CASE WHEN c.relkind <> 'r' THEN pg_get_viewdef(c.oid) END AS definition,
         coalesce(c.reloptions, '{}') AS options, c.relispopulated AS "isPopulated",
         (SELECT spcname FROM pg_tablespace s WHERE s.oid = c.reltablespace) AS tablespace,
         ARRAY(SELECT DISTINCT d.refobjid::text FROM pg_rewrite r JOIN pg_depend d
               ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
               WHERE r.ev_class = c.oid AND d.refobjid <> c.oid AND d.refobjid IN (SELECT oid FROM built)) AS "dependsOn"
  FROM built JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY depth, c.oid`;

/** $1 oid of the table, $2 name of the index of the unique key. */
export const DESCRIBE_INDEXES = /* sql */ `
  SELECT ic.relname AS name, pg_get_indexdef(ic.oid) AS definition,
         format('CREATE %sINDEX %I ON %I.%I USING ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END,
                ic.relname, n.nspname, c.relname) AS head,
         ARRAY(SELECT a.attname::text FROM pg_depend d JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
               WHERE d.classid = 'pg_class'::regclass AND d.objid = ic.oid AND d.refobjid = c.oid AND d.refobjsubid > 0
               UNION SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey)) AS columns
  FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
  JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = $1::oid AND ic.relname <> $2
    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = ic.oid AND k.contype = 'x')
  ORDER BY ic.oid`;

/** $1 oid of the table. */
export const DESCRIBE_DEFAULTS = /* sql */ `
  SELECT a.attname AS column, pg_get_expr(f.adbin, f.adrelid) AS expression
  FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum WHERE f.adrelid = $1::oid`;

/** $1 oid of the table. */
export const DESCRIBE_OBSTACLES = /* sql */ `
  SELECT format('publication %I', p.pubname) AS what FROM (${publicationsOf('$1::oid')}) p
  UNION ALL SELECT format('inheritance with %s', CASE WHEN inhrelid = $1::oid THEN inhparent ELSE inhrelid END::regclass)
    FROM pg_inherits WHERE $1::oid IN (inhrelid, inhparent)
  UNION ALL SELECT format('identity column %I', attname) FROM pg_attribute
    WHERE attrelid = $1::oid AND attidentity <> '' AND NOT attisdropped
  UNION ALL SELECT format('the type %s that it is a table of', reloftype::regtype) FROM pg_class
    WHERE oid = $1::oid AND reloftype <> 0
  UNION ALL SELECT format('the security label of %s', provider) FROM pg_seclabel
    WHERE classoid = 'pg_class'::regclass AND objoid = $1::oid`;

/** The index definition with another name on another table; undefined if it has an unknown form. */
export function indexOn(index: BuiltIndex, table: TableName, name: string): string | undefined {
  if (!index.definition.startsWith(index.head)) return undefined;
  const unique = index.head.startsWith('CREATE UNIQUE') ? 'UNIQUE ' : '';
  return /* sql */ `CREATE ${unique}INDEX ${ident(name)} ON ${qualified(table)} USING ${index.definition.slice(index.head.length)}`;
}
