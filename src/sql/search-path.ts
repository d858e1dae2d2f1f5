/**
 * Names without a schema. The SQL of increp runs with a pinned search_path, to which no user can add objects. But a
 * statement on a user's table also runs user code: functions of triggers, indexes, checks, generated columns and
 * views. That code needs the search_path of the role, as in any other session. So such statements run with that path,
 * and every operator and function of increp in them is schema-qualified. IN, BETWEEN, LIKE, NULLIF, CASE x WHEN, JOIN
 * USING and IS DISTINCT FROM find their operator by name, so they are not used (except IS DISTINCT FROM with NULL,
 * which uses no operator). GROUP BY, ORDER BY, DISTINCT, greatest() and coalesce() do not use the search_path. Types
 * and relations of pg_catalog come first in it.
 */
import { literal } from './identifiers.ts';

/**
 * A temporary schema is searched first unless it is named, and a pooled session may contain objects of other clients.
 */
export const PINNED_PATH = /* sql */ `SET LOCAL search_path = pg_catalog, pg_temp`;

const CURRENT = `pg_catalog.current_setting('search_path')`;

/**
 * The path of the role, the database or the server, whatever a pooled session was left with. pg_catalog always comes
 * first.
 */
const USUAL_PATH = [
  /* sql */ `SET LOCAL search_path TO DEFAULT`,
  /* sql */ `SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ',
    CASE WHEN pg_catalog.strpos(${CURRENT}, 'pg_catalog') OPERATOR(pg_catalog.>) 0 THEN 'pg_catalog' END,
    CASE WHEN ${CURRENT} OPERATOR(pg_catalog.~) '[^[:space:]]' THEN ${CURRENT} END, 'pg_temp'), true)`,
];

/** Statements on tables of users. The answer to the first statement is at USUALLY_AT. */
export const usually = (...statements: readonly string[]): string[] => [
  ...USUAL_PATH,
  ...statements,
  PINNED_PATH,
];

export const USUALLY_AT = USUAL_PATH.length;

/** As one message. */
export const asUsual = (statement: string): string => usually(statement).join('; ');

/** For the end of a transaction, where deferred triggers run. */
export const TO_USUAL_PATH = USUAL_PATH.join('; ');

/** A statement for the pinned search_path, or a statement on tables of users. */
export type Statement = string | { readonly usual: string };

export const onTables = (text: string): Statement => ({ usual: text });

/** The statement without its search_path. */
export const textOf = (statement: Statement): string =>
  typeof statement === 'string' ? statement : statement.usual;

export interface Message {
  readonly sent: readonly string[];
  /** For each statement, the place of its answer. */
  readonly answersAt: readonly number[];
}

/** What is sent for these statements. Statements on tables of users that follow each other share the search_path. */
export function messageOf(statements: readonly Statement[]): Message {
  const [sent, answersAt]: [string[], number[]] = [[], []];
  for (const [index, statement] of statements.entries()) {
    const isUsual = typeof statement !== 'string';
    if (isUsual && typeof (statements[index - 1] ?? '') === 'string') sent.push(...USUAL_PATH);
    answersAt.push(sent.push(textOf(statement)) - 1);
    if (isUsual && typeof (statements[index + 1] ?? '') === 'string') sent.push(PINNED_PATH);
  }
  return { sent, answersAt };
}

const operator = (name: string): string => `OPERATOR(pg_catalog.${name})`;

/** In this form, all operators have the same precedence and bind from left to right, so parentheses are needed. */
export const EQUALS = operator('=');
export const DIFFERS_FROM = operator('<>');
export const LESS = operator('<');
export const AT_MOST = operator('<=');
export const GREATER = operator('>');
export const AT_LEAST = operator('>=');
export const MINUS = operator('-');
export const TIMES = operator('*');
export const MODULO = operator('%');
export const BITS = operator('&');
export const JOINED = operator('||');
export const TEXT_AT = operator('->>');
/** Record images: compares bytes. */
export const DIFFERS = operator('*<>');

/** NULLs are equal. IS NULL is not used, because it is also true for a composite value whose fields are all NULL. */
export const equalOrBothNull = (a: string, b: string): string =>
  `(${a} ${EQUALS} ${b} OR ${a} IS NOT DISTINCT FROM NULL AND ${b} IS NOT DISTINCT FROM NULL)`;

/** The operators behind words of SQL: IN, BETWEEN, CASE, NULLIF, IS DISTINCT FROM, USING, LIKE, ILIKE, SIMILAR TO. */
const BEHIND_WORDS = `'{=,<>,<,<=,>,>=,~~,!~~,~~*,!~~*,~,!~}'::name[]`;

/**
 * Whether SQL that is valid with the pinned search_path could mean something else with the usual one. This is the
 * case if a function on that path has the name of one in pg_catalog and the SQL contains the name, or if the same is
 * true for an operator.
 */
export const shadowsOf = (text: string): string => {
  const words = `pg_catalog.lower(${literal(text)})`;
  const isOnPath = (schema: string) =>
    `${schema} ${EQUALS} ANY (SELECT n.oid FROM pg_catalog.pg_namespace n
      WHERE n.nspname ${EQUALS} ANY (pg_catalog.current_schemas(false)) AND n.nspname ${DIFFERS_FROM} 'pg_catalog'::name)`;
  const isNamed = (name: string) =>
    `pg_catalog.strpos(${words}, pg_catalog.lower(${name}::text)) ${GREATER} 0`;
  return /* sql */ `SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE ${isOnPath('p.pronamespace')} AND ${isNamed('p.proname')}
      AND EXISTS (SELECT FROM pg_catalog.pg_proc c JOIN pg_catalog.pg_namespace s ON s.oid ${EQUALS} c.pronamespace
        WHERE c.proname ${EQUALS} p.proname AND s.nspname ${EQUALS} 'pg_catalog'::name))
    OR EXISTS (SELECT FROM pg_catalog.pg_operator o WHERE ${isOnPath('o.oprnamespace')}
      AND (o.oprname ${EQUALS} ANY (${BEHIND_WORDS}) OR ${isNamed('o.oprname')})) AS "isShadowed"`;
};
