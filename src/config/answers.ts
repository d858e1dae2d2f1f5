/** What is known of a connection before anyone is asked: from flags, the environment and a `.env` that is there. */
import { resolve } from 'node:path';
import { readConnection } from './connection/connection.ts';
import { readEnvFile } from './environment/env-file.ts';
import { assignmentLines, type Assignment } from './environment/env-text.ts';
import { configError, type Problem } from './problems.ts';
import type { Environment } from '../environment.ts';
import type { Reading } from './environment/reading.ts';
import { secretsOf, withoutSecrets } from './environment/secrets.ts';
import type { ConnectionSettings } from './settings.ts';
import { readValues, type Overrides, type Values } from './environment/values.ts';
import { VARIABLES, type Prefix, type VariableName } from './environment/variables.ts';

export interface Answers {
  readonly directory: string;
  readonly environment: Environment;
  /** Undefined where there is no `.env`. */
  readonly envFile: Environment | undefined;
  readonly values: Values;
}

interface Request {
  readonly directory: string;
  readonly environment: Environment;
  readonly overrides: Overrides;
}

/** @throws IncrepError CONFIG_INVALID where a file that a variable names cannot be read, or the `.env` */
export async function readAnswers({ directory, environment, overrides }: Request): Promise<Answers> {
  const problems: Problem[] = [];
  const report = (problem: Problem) => void problems.push(problem);
  const envFile = await readEnvFile(directory, report, () => undefined);
  const told = { ...environment, ...overrides };
  const values = await readValues({
    directory,
    overrides,
    environment,
    envFile: withoutOtherForm(withoutOtherForm(envFile ?? {}, told, 'SOURCE'), told, 'DEST'),
    report,
  });
  if (problems.length > 0) throw configError(withoutSecrets(problems, secretsOf(undefined, values)));
  return { directory, environment, envFile, values };
}

/** A URL that is told now takes the place of the single variables that a `.env` has had so far, and the reverse. */
function withoutOtherForm(envFile: Environment, told: Environment, prefix: Prefix): Environment {
  const isTold = (names: readonly string[]) => names.some((name) => told[name] || told[`${name}_FILE`]);
  const [url, parts] = [[`${prefix}_URL`], addressParts(prefix)];
  const replaced = isTold(url) ? parts : isTold([`${prefix}_HOST`]) ? url : [];
  const names = replaced.flatMap((name) => [name, `${name}_FILE`]);
  return Object.fromEntries(Object.entries(envFile).filter(([name]) => !names.includes(name)));
}

const addressParts = (prefix: Prefix): string[] =>
  ['HOST', 'PORT', 'USERNAME', 'PASSWORD', 'DB'].map((field) => `${prefix}_${field}`);

const namesOf = (prefix: Prefix): VariableName[] =>
  VARIABLES.map(({ name }) => name).filter((name) => name.startsWith(`${prefix}_`));

/** The variables of a side that have to do with reaching it; its schema is asked for apart. */
const addressNames = (prefix: Prefix): VariableName[] =>
  namesOf(prefix).filter((name) => name !== `${prefix}_SCHEMA`);

/** Where it is; the rest may be missing, and then whoever reads it says so. */
export const isAnswered = ({ values }: Answers, prefix: Prefix): boolean =>
  values.has(`${prefix}_URL`) || values.has(`${prefix}_HOST`);

export const answerOf = ({ values }: Answers, name: VariableName): string | undefined =>
  values.get(name)?.text;

const TYPED = 'what was typed';

/** With what a person has typed in the place of what was known of how to reach a side, but for what is `kept`. */
export function withAddress(
  answers: Answers,
  prefix: Prefix,
  typed: Overrides,
  kept: readonly VariableName[] = [],
): Answers {
  const names: readonly string[] =
    typed[`${prefix}_URL`] === undefined
      ? addressNames(prefix).filter((name) => !kept.includes(name))
      : addressNames(prefix);
  const others = [...answers.values].filter(([name]) => !names.includes(name));
  return { ...answers, values: new Map([...others, ...typedValues(typed)]) };
}

/** With single answers more. */
export const withAnswers = (answers: Answers, typed: Overrides): Answers => ({
  ...answers,
  values: new Map([...answers.values, ...typedValues(typed)]),
});

const typedValues = (typed: Overrides) =>
  Object.entries(typed).flatMap(([name, text]) =>
    text === '' ? [] : [[name as VariableName, { text, origin: TYPED }] as const],
  );

/** @throws IncrepError CONFIG_INVALID that says what is missing or wrong, without secrets */
export async function connectionOf(answers: Answers, prefix: Prefix): Promise<ConnectionSettings> {
  const problems: Problem[] = [];
  const reading: Reading = {
    directory: answers.directory,
    values: answers.values,
    report: (problem) => void problems.push(problem),
    warn: () => undefined,
  };
  const connection = await readConnection(reading, prefix);
  if (connection && problems.length === 0) return connection;
  throw configError(withoutSecrets(problems, secretsOf(undefined, answers.values)));
}

/**
 * What `.env` has to say of a side. A variable whose value a file holds (`X_FILE`) is written as that name, so that the
 * secret stays where it is; what systemd hands over at each start is not written at all.
 */
export function assignmentsOf(answers: Answers, prefix: Prefix): Assignment[] {
  const { directory, environment, envFile, values } = answers;
  return namesOf(prefix).flatMap((name): Assignment[] => {
    const value = values.get(name);
    if (!value) return [];
    const pointer = `${name}_FILE`;
    const outside = environment[pointer];
    if (outside && resolve(directory, outside) === value.origin) return [[pointer, value.origin]];
    const inside = envFile?.[pointer];
    if (inside && resolve(directory, inside) === value.origin) return [[pointer, inside]];
    const folder = environment['CREDENTIALS_DIRECTORY'];
    if (folder && value.origin === resolve(folder, name)) return [];
    return [[name, value.text]];
  });
}

/** Where nothing can quote a value a URL still can: it encodes whatever is special. */
export function writableAssignments(
  assignments: readonly Assignment[],
  connection: ConnectionSettings,
  prefix: Prefix,
): readonly Assignment[] {
  if (assignmentLines(assignments) !== undefined) return assignments;
  const replaced = [...addressParts(prefix), `${prefix}_URL`];
  return [[`${prefix}_URL`, urlOf(connection)], ...assignments.filter(([name]) => !replaced.includes(name))];
}

function urlOf({ host, port, user, password, database }: ConnectionSettings): string {
  const [name, secret, path] = [user, password ?? '', database].map(encoded);
  const isSocket = host.startsWith('/');
  const authority = isSocket ? '' : host.includes(':') ? `[${host}]` : host;
  const socket = isSocket ? `?host=${encoded(host)}` : '';
  return `postgresql://${name}:${secret}@${authority}:${port}/${path}${socket}`;
}

/** Also what a URL would allow, but a `.env` might not. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
