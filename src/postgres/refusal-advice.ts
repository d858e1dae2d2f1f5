/** What to do about refusals that name an object: a privilege, a function, a role or a database. Pure. */
import { ident, literal } from '../sql/identifiers.ts';
import type { Endpoint } from './endpoint.ts';

type RefusingSide = Pick<Endpoint, 'side' | 'role'>;

interface ErrorContext {
  /** The context of the error: the functions that were called. */
  readonly where?: string | undefined;
}

/**
 * The message of a server in another language names no object here. Names of schemas have no quotes. Only increp itself creates
 * tables in a schema, so a function of the user needs no CREATE.
 */
export function privilegeAdvice(
  { side, role }: RefusingSide,
  message: string,
  { where = '' }: ErrorContext,
): string {
  const at = `At the ${side}, run:`;
  const schema = /^permission denied for schema (.+)$/s.exec(message)?.[1];
  if (schema !== undefined)
    return `${at} GRANT USAGE${side === 'destination' && functionsIn(where).length === 0 ? ', CREATE' : ''} ON SCHEMA ${ident(schema)} TO ${ident(role)}`;
  const database = databaseRefused(message);
  if (database !== undefined)
    return `${at} GRANT ${database.privilege} ON DATABASE ${ident(database.name)} TO ${ident(role)}`;
  const object = /^permission denied for ([a-z -]+ \S.*)$/s.exec(message)?.[1];
  const owned = /^must be owner of ([a-z -]+ \S.*)$/s.exec(message)?.[1];
  const first =
    owned === undefined
      ? `Grant role "${role}" the missing privilege${object === undefined ? '' : ` on ${object}`} at the ${side}.`
      : `Make role "${role}" the owner of ${owned} at the ${side}.`;
  return `${first} For what each side needs, see "increp help setup".`;
}

/** With quotes, the server refuses the login. Without quotes, it refuses to create a schema. */
const OF_DATABASE = [
  ['CONNECT', /^permission denied for database "(.+)"$/s],
  ['CREATE', /^permission denied for database (.+)$/s],
  ['TEMPORARY', /^permission denied to create temporary tables in database "(.+)"$/s],
] as const;

function databaseRefused(message: string) {
  for (const [privilege, says] of OF_DATABASE) {
    const name = says.exec(message)?.[1];
    if (name !== undefined) return { privilege, name };
  }
  return undefined;
}

/** The server prints the signature of a function in PL/pgSQL, and the name of another function. */
const SIGNATURE = /^PL\/pgSQL function (?!inline_code_block)(.+?\)) /;
const NAME = /^(?:PL\/\w+|SQL) function "(.+?)"/;

const nameIn = (line: string): readonly string[] => {
  const name = (SIGNATURE.exec(line) ?? NAME.exec(line))?.[1];
  return name === undefined ? [] : [name];
};

/** The innermost call first. */
const functionsIn = (where: string): readonly string[] => where.split('\n').flatMap(nameIn);

/** The last line of the context is the outermost call. Undefined if no function of the database raised the error. */
export function functionAdvice(
  { side }: RefusingSide,
  { code, where = '' }: ErrorContext & { readonly code: string },
): string | undefined {
  const name = functionsIn(where).at(-1);
  if (name === undefined && !code.startsWith('P0')) return undefined;
  const raised = `${name === undefined ? 'A function' : `The function ${name}`} of the ${side} database raised this error.`;
  if (side === 'source')
    return `${raised} A view, a policy or the SQL of the table in tables-config.json calls it. Correct the row at the source, or change that function.`;
  const isTrigger = name?.endsWith('()') === true;
  const caller = isTrigger || name === undefined ? 'a trigger' : 'a trigger, a check constraint or an index';
  const remedy = `Usually, ${caller} of the destination table calls it. Correct the row at the source, change that function, or drop what calls it.`;
  return isTrigger
    ? `${raised} ${remedy} To list its triggers, run at the destination: SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgfoid = ${literal(name)}::regprocedure`
    : `${raised} ${remedy}`;
}
