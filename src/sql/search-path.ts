/**
 * Where names without a schema are found. Our own SQL runs under a pinned path, to which no user can add objects. But a
 * statement that touches a table of people also runs what they have put on it: functions behind triggers, indexes, checks,
 * generated columns, views. These have to find what they find in any other session of the role, so such statements run under
 * the path of the role. In them, every operator and every function of ours has its schema in front. IN, BETWEEN, LIKE, NULLIF,
 * CASE x WHEN, JOIN USING and IS DISTINCT FROM look for an operator by its name, so they are not used; compared with NULL, the
 * last of them takes none. GROUP BY, ORDER BY, DISTINCT, greatest() and coalesce() do not look at the path. Types and relations
 * of pg_catalog come first there.
 */
import { literal } from './identifiers.ts';

/** A temporary schema is searched first unless it is named, and a pooled session may hold other people's. */
export const PINNED_PATH = /* sql */ `SET LOCAL search_path = pg_catalog, pg_temp`;

const CURRENT = `pg_catalog.current_setting('search_path')`;

/** As set on the role, the database or the server, whatever a pooled session was left with; pg_catalog first in any case. */
const USUAL_PATH = [
  /* sql */ `SET LOCAL search_path TO DEFAULT`,
  /* sql */ `SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ',
    CASE WHEN pg_catalog.strpos(${CURRENT}, 'pg_catalog') OPERATOR(pg_catalog.>) 0 THEN 'pg_catalog' END,
    CASE WHEN ${CURRENT} OPERATOR(pg_catalog.~) '[^[:space:]]' THEN ${CURRENT} END, 'pg_temp'), true)`,
];

/** Statements that touch tables of people. The answer to the first of them is the one at USUALLY_AT. */
export const usually = (...statements: readonly string[]): string[] => [
  ...USUAL_PATH,
  ...statements,
  PINNED_PATH,
];

export const USUALLY_AT = USUAL_PATH.length;

/** In one message. */
export const asUsual = (statement: string): string => usually(statement).join('; ');

/** For the end of a transaction, where triggers that were deferred run. */
export const TO_USUAL_PATH = USUAL_PATH.join('; ');

/** A statement for the pinned path, or one that touches tables of people. */
export type Statement = string | { readonly usual: string };

export const onTables = (text: string): Statement => ({ usual: text });

/** Without the path. */
export const textOf = (statement: Statement): string =>
  typeof statement === 'string' ? statement : statement.usual;

/** What is sent for it, and which of the answers is the one to it. */
export const statementsOf = (statement: Statement): readonly string[] =>
  typeof statement === 'string' ? [statement] : usually(statement.usual);

export const answerAt = (statement: Statement): number => (typeof statement === 'string' ? 0 : USUALLY_AT);

const operator = (name: string): string => `OPERATOR(pg_catalog.${name})`;

/** Written so, all operators bind alike, and from left to right: brackets say what belongs together. */
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
/** Record images: other bytes. */
export const DIFFERS = operator('*<>');

/** NULLs being one value. Not IS NULL, which is also true of a composite value whose fields are. */
export const isSame = (a: string, b: string): string =>
  `(${a} ${EQUALS} ${b} OR ${a} IS NOT DISTINCT FROM NULL AND ${b} IS NOT DISTINCT FROM NULL)`;

/** Operators that words of SQL stand for: IN, BETWEEN, CASE, NULLIF, IS DISTINCT FROM, USING, LIKE, ILIKE, SIMILAR TO. */
const BEHIND_WORDS = `'{=,<>,<,<=,>,>=,~~,!~~,~~*,!~~*,~,!~}'::name[]`;

/**
 * Whether SQL that is understood under the pinned path could mean something else under the usual one: a function there has the name
 * of one of pg_catalog, and the name stands in the SQL; or an operator does, whose name stands in it or behind one of its words.
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
