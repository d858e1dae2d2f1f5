/** Finds tables that may be a former destination table under another name. */
import { literal } from './identifiers.ts';
import { STAGING_MARK } from './destination.ts';

export interface FormerTable {
  /** Null if it is not known. Then the columns and the key decide. */
  readonly oid: string | null;
  /** The type of each column at the destination. */
  readonly columns: Readonly<Record<string, string>>;
  /** The columns of its unique index. Empty if it had none. */
  readonly key: readonly string[];
}

/**
 * The former tables, or tables with the columns and the unique key of one, which the role of increp owns and no comment of increp marks.
 * `place` counts from 0. A schema that is not in `schemas` and has a state table belongs to other pipelines.
 */
export const likeFormerTables = (
  formers: readonly FormerTable[],
  schemas: readonly string[],
): string => /* sql */ `
  WITH wanted AS (
    SELECT ordinality - 1 AS place, (value ->> 'oid')::oid AS oid, value -> 'columns' AS columns, value -> 'key' AS key
    FROM jsonb_array_elements(${literal(JSON.stringify(formers))}::jsonb) WITH ORDINALITY
  ), found AS MATERIALIZED (
    SELECT c.oid, n.nspname, c.relname,
           (SELECT jsonb_object_agg(attname, format_type(atttypid, atttypmod)) FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND pg_has_role(c.relowner, 'USAGE')
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT starts_with(coalesce(obj_description(c.oid, 'pg_class'), ''), ${literal(STAGING_MARK)})
      AND (n.nspname IN (${schemas.map(literal).join(', ')}) OR NOT EXISTS (
        SELECT FROM pg_class s WHERE s.relnamespace = n.oid AND s.relname = '_increp_state'))
  )
  SELECT place::int, nspname AS schema, relname AS "table", wanted.oid IS NOT NULL AS "isCertain" FROM wanted
  JOIN found ON found.oid = wanted.oid OR wanted.oid IS NULL AND found.columns @> wanted.columns AND (key = '[]' OR EXISTS (
    SELECT FROM pg_index i, LATERAL (
      SELECT jsonb_agg(attname) AS columns FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = ANY (i.indkey::int2[])
    ) k WHERE i.indrelid = found.oid AND i.indisunique AND i.indpred IS NULL AND k.columns @> key AND k.columns <@ key))
  ORDER BY place, nspname, relname`;
