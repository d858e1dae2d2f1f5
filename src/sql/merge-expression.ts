/** Statements with which the destination judges an expression of `merge`. They read no table. */
import { ident, literal } from './identifiers.ts';
import { describing, inBrackets, type SqlPart, type SqlWithQuotes } from './row-source.ts';

export interface TypedColumn {
  readonly name: string;
  readonly type: string;
}

export interface MergeScope {
  /** With the names of the source and the types of the destination. */
  readonly source: readonly TypedColumn[];
  readonly destination: readonly TypedColumn[];
}

/** Without OFFSET, the planner would evaluate expressions over the NULLs. */
const row = (columns: readonly TypedColumn[], alias: string): string =>
  `(SELECT ${columns.map(({ name, type }) => `NULL::${type} AS ${ident(name)}`).join(', ')} OFFSET 0) AS ${alias}`;

const from = ({ source, destination }: MergeScope): string =>
  ` FROM ${row(source, 'source')}, ${row(destination, 'destination')}`;

const expressionParts = (column: string, expression: string): SqlPart[] =>
  inBrackets(`merge.${column}`, expression);

/** The condition refuses aggregates, window functions and functions that return rows. */
export const describeExpression = (column: string, expression: string, scope: MergeScope): SqlWithQuotes =>
  describing([
    'SELECT ',
    ...expressionParts(column, expression),
    ` AS merged${from(scope)} WHERE `,
    ...expressionParts(column, expression),
    ' IS NULL',
  ]);

/** The planner keeps a subquery apart if it has a volatile function, which may be behind an operator or a cast. */
export const explainExpression = (expression: string, scope: MergeScope): string =>
  /* sql */ `EXPLAIN (FORMAT JSON) SELECT merged IS NULL FROM (SELECT (${expression}\n) AS merged${from(scope)}) AS increp_merge`;

/** Whether all types exist. A sync creates native types of the source. */
export const haveTypes = (types: readonly string[]): string =>
  /* sql */ `SELECT ${types.map((type) => `to_regtype(${literal(type)}) IS NOT NULL`).join(' AND ')} AS "areThere"`;

/**
 * $1 the type of a value (oid), $2 the type of a column. Whether the server casts the value in an assignment: by a cast,
 * or by the text of the value if the column is a text. Arrays are cast element by element.
 */
export const IS_ASSIGNABLE = /* sql */ `
  WITH RECURSIVE wanted (oid, level) AS (
      SELECT to_regtype($2)::oid, 0
      UNION ALL SELECT t.typbasetype, wanted.level + 1 FROM wanted JOIN pg_type t ON t.oid = wanted.oid WHERE t.typtype = 'd'),
    target AS (SELECT t.* FROM wanted JOIN pg_type t ON t.oid = wanted.oid ORDER BY wanted.level DESC LIMIT 1),
    pairs AS (
      SELECT s.oid AS given, t.oid AS taken, t.typcategory AS category FROM pg_type s, target t WHERE s.oid = $1
      UNION ALL
      SELECT se.oid, te.oid, te.typcategory FROM pg_type s, target t, pg_type se, pg_type te
      WHERE s.oid = $1 AND s.typcategory = 'A' AND t.typcategory = 'A' AND se.oid = s.typelem AND te.oid = t.typelem)
  SELECT format_type($1, NULL) AS type, coalesce(bool_or(given = taken OR category = 'S' OR EXISTS (
    SELECT FROM pg_cast c WHERE c.castsource = given AND c.casttarget = taken AND c.castcontext IN ('a', 'i'))), false) AS "isAssignable"
  FROM pairs`;
