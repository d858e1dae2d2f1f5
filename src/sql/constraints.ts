/** Constraints of users on a destination table, and the rows that violate them. */
import type { TableName } from '../schema/names.ts';
import { ident, literal, qualified } from './identifiers.ts';
import { asUsual, EQUALS } from './search-path.ts';

/** $1 schema, $2 table, $3 name of an index. Returns the index, and the statements that drop and create it again. */
export const UNIQUE_INDEX = /* sql */ `
  SELECT k.contype IS NOT NULL AS "isConstraint", to_json(named.expressions) AS expressions,
         pg_get_expr(i.indpred, i.indrelid) AS predicate, to_json(named.operators) AS operators,
         CASE WHEN k.oid IS NULL THEN format('DROP INDEX %I.%I', n.nspname, ic.relname)
              ELSE format('ALTER TABLE %I.%I DROP CONSTRAINT %I', n.nspname, c.relname, k.conname) END AS drop,
         array_remove(ARRAY[
           CASE WHEN NOT how."isWhole" AND s.spcname IS NOT NULL
             THEN format('SET LOCAL default_tablespace = %I', s.spcname) END,
           CASE WHEN how."isWhole"
             THEN format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid))
             ELSE pg_get_indexdef(ic.oid) END,
           CASE WHEN NOT how."isWhole" AND s.spcname IS NOT NULL
             THEN 'SET LOCAL default_tablespace TO DEFAULT' END,
           CASE WHEN k.contype IN ('u', 'p') AND NOT how."isWhole" THEN format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s USING INDEX %I%s', n.nspname,
             c.relname, k.conname, CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, ic.relname,
             CASE WHEN k.condeferrable THEN ' DEFERRABLE' || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END ELSE '' END) END,
           format('COMMENT ON INDEX %I.%I IS ', n.nspname, ic.relname) || quote_literal(obj_description(ic.oid, 'pg_class')),
           CASE WHEN k.oid IS NOT NULL THEN format('COMMENT ON CONSTRAINT %I ON %I.%I IS ', k.conname, n.nspname, c.relname)
             || quote_literal(obj_description(k.oid, 'pg_constraint')) END,
           CASE WHEN i.indisclustered THEN format('ALTER TABLE %I.%I CLUSTER ON %I', n.nspname, c.relname, ic.relname) END,
           CASE WHEN i.indisreplident
             THEN format('ALTER TABLE %I.%I REPLICA IDENTITY USING INDEX %I', n.nspname, c.relname, ic.relname) END
         ], NULL) AS create
  FROM pg_index i
  JOIN pg_class ic ON ic.oid = i.indexrelid
  JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_tablespace s ON s.oid = ic.reltablespace
  LEFT JOIN pg_constraint k ON k.conindid = ic.oid AND k.conrelid = c.oid AND k.contype IN ('u', 'p', 'x')
  JOIN pg_am am ON am.oid = ic.relam
  -- What is no B-tree can be made by its constraint only.
  CROSS JOIN LATERAL (SELECT k.contype IS NOT NULL AND am.amname <> 'btree' OR k.contype IS NOT DISTINCT FROM 'x' AS "isWhole") how
  CROSS JOIN LATERAL (
    SELECT array_agg(pg_get_indexdef(ic.oid, place::int, true) ORDER BY place) AS expressions,
           array_agg((SELECT format('OPERATOR(%I.%s)', os.nspname, o.oprname) FROM pg_operator o
             JOIN pg_namespace os ON os.oid = o.oprnamespace WHERE o.oid = coalesce(k.conexclop[place],
               (SELECT a.amopopr FROM pg_opclass oc JOIN pg_amop a ON a.amopfamily = oc.opcfamily
                  AND a.amoplefttype = oc.opcintype AND a.amoprighttype = oc.opcintype AND a.amopstrategy = 3
                WHERE oc.oid = i.indclass[place - 1]))) ORDER BY place) AS operators
    FROM generate_series(1, i.indnkeyatts) place) named
  WHERE n.nspname = $1 AND c.relname = $2 AND ic.relname = $3`;

/** $1 oid of a table. Whether a row can be deleted and inserted again without side effects. */
export const MAY_REPLACE = /* sql */ `
  SELECT NOT EXISTS (SELECT FROM pg_constraint WHERE confrelid = $1::oid AND contype = 'f' AND confdeltype <> 'a')
     -- 8 delete, 4 insert
     AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = $1::oid AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 12 <> 0)
     AND NOT EXISTS (SELECT FROM pg_rewrite WHERE ev_class = $1::oid) AS "mayReplace"`;

interface ConflictSearch {
  readonly table: TableName;
  readonly staging: TableName;
  readonly key: readonly string[];
  /** The expressions of the index, built from the columns of one row. */
  readonly expressions: readonly string[];
  readonly operators: readonly string[];
  readonly predicate: string | null;
}

/**
 * The keys of an incoming row and of the row that conflicts with it: at the destination, or among the incoming rows.
 */
export const rowsInTheWay = (
  { table, staging, key, expressions, operators, predicate }: ConflictSearch,
  where: 'destination' | 'source',
): string => {
  const side = (name: TableName) =>
    /* sql */ `(SELECT ${[
      ...key.map((column) => `${ident(column)}::text`).map((text, place) => `${text} AS k${place}`),
      ...expressions.map((expression, place) => `(${expression}) AS e${place}`),
    ].join(', ')} FROM ONLY ${qualified(name)}${predicate === null ? '' : ` WHERE ${predicate}`})`;
  const keyOf = (alias: string) => key.map((_, place) => `${alias}.k${place}`);
  const meet = operators.map((operator, place) => `s.e${place} ${operator} t.e${place}`).join(' AND ');
  const differ = `(${keyOf('s').join(', ')}) IS DISTINCT FROM (${keyOf('t').join(', ')})`;
  // NULLs are equal in arrays, and arrays can be hashed.
  const comesIn = /* sql */ `EXISTS (SELECT FROM ONLY ${qualified(staging)} x
      WHERE ARRAY[${key.map((column) => `x.${ident(column)}::text`).join(', ')}] ${EQUALS} ARRAY[${keyOf('t').join(', ')}])`;
  return /* sql */ `SELECT ARRAY[${keyOf('s').join(', ')}] AS "comesIn", ARRAY[${keyOf('t').join(', ')}] AS "isThere"
    FROM ${side(staging)} s JOIN ${side(where === 'source' ? staging : table)} t ON ${meet} AND ${differ}
    ${where === 'source' ? '' : `WHERE NOT ${comesIn}`} LIMIT 1`;
};

/** For messages: the statement that deletes the conflicting row. */
export const deleteRow = (
  table: TableName,
  key: readonly string[],
  values: readonly (string | null)[],
): string =>
  `DELETE FROM ${qualified(table)} WHERE ${key
    .map((name, place) => {
      const value = values[place] ?? null;
      return value === null ? `${ident(name)} IS NULL` : `${ident(name)} = ${literal(value)}`;
    })
    .join(' AND ')}`;

/** $1 schema and $2 table of a foreign key in an error, $3 its name. */
export const FOREIGN_KEY = /* sql */ `
  SELECT cn.nspname AS "schema", c.relname AS "table", pn.nspname AS "parentSchema", p.relname AS "parentTable",
         k.conrelid = k.confrelid AS "isSelf", pg_get_constraintdef(k.oid) AS definition
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
  JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
  WHERE cn.nspname = $1 AND c.relname = $2 AND k.conname = $3 AND k.contype = 'f'`;

export const DEFER_CONSTRAINTS = /* sql */ `SET CONSTRAINTS ALL DEFERRED`;
/** Runs deferred triggers. */
export const CHECK_CONSTRAINTS = asUsual(/* sql */ `SET CONSTRAINTS ALL IMMEDIATE`);
