/**
 * The known settings of a connection before `init` asks a question: from flags, the environment and an existing
 * `.env`.
 */
import { resolve } from 'node:path';
import { serversOf } from './connection/servers.ts';
import { readConnection } from './connection/connection.ts';
import {
  connectionUrl,
  fieldsOfUrl,
  parseConnectionUrl,
  TLS_PARAMETER_FIELDS,
  withPart,
  type ConnectionField,
} from './connection/connection-url.ts';
import { readEnvFile } from './environment/env-file.ts';
import { assignmentLines, type Assignment } from './environment/env-text.ts';
import { configError, type Problem } from './problems.ts';
import type { Environment } from '../environment.ts';
import type { PasswordMemory, SettingsReading } from './environment/reading.ts';
import { secretsOf, withoutSecrets } from './environment/secrets.ts';
import type { ConnectionSettings } from './settings.ts';
import type { DefaultSchemas } from './tables/raw-entry.ts';
import { readValues, type Overrides, type Value, type Values } from './environment/values.ts';
import { variable, VARIABLES, type Prefix, type VariableName } from './environment/variables.ts';

export interface Answers {
  readonly directory: string;
  readonly environment: Environment;
  /** Undefined if there is no `.env`. */
  readonly envFile: Environment | undefined;
  readonly values: Values;
  /** All secrets, for redaction. The list grows when a password command runs. */
  readonly secrets: readonly string[];
  readonly passwords: PasswordMemory;
}

interface AnswersRequest {
  readonly directory: string;
  readonly environment: Environment;
  readonly overrides: Overrides;
}

/** @throws IncrepError CONFIG_INVALID if the `.env`, or a file that a variable names, cannot be read */
export async function readAnswers({ directory, environment, overrides }: AnswersRequest): Promise<Answers> {
  const problems: Problem[] = [];
  const report = (problem: Problem) => void problems.push(problem);
  const found = await readEnvFile(directory, report, () => undefined);
  const envFile = found?.variables;
  const given = { ...environment, ...overrides };
  const values = await readValues({
    directory,
    overrides,
    environment,
    envFile: withoutOtherForm(withoutOtherForm(envFile ?? {}, given, 'SOURCE'), given, 'DEST'),
    report,
  });
  if (problems.length > 0)
    throw configError(withoutSecrets(problems, secretsOf(undefined, values)), directory);
  const secrets = secretsOf(undefined, values);
  const passwords: PasswordMemory = {
    printed: new Map(),
    learn: (password) => void secrets.push(password),
  };
  return { directory, environment, envFile, values, secrets, passwords };
}

/** A new URL replaces the individual variables of an existing `.env`, and the reverse. */
function withoutOtherForm(envFile: Environment, given: Environment, prefix: Prefix): Environment {
  const isGiven = (names: readonly string[]) => names.some((name) => given[name] || given[`${name}_FILE`]);
  const [url, parts] = [[`${prefix}_URL`], addressParts(prefix)];
  const replaced = isGiven(url) ? parts : isGiven([`${prefix}_HOST`]) ? url : [];
  const names = replaced.flatMap((name) => [name, `${name}_FILE`]);
  return Object.fromEntries(Object.entries(envFile).filter(([name]) => !names.includes(name)));
}

const addressParts = (prefix: Prefix): string[] =>
  ['HOST', 'PORT', 'USERNAME', 'PASSWORD', 'DB'].map((field) => `${prefix}_${field}`);

const namesOf = (prefix: Prefix): VariableName[] =>
  VARIABLES.map(({ name }) => name).filter((name) => name.startsWith(`${prefix}_`));

/** The variables that describe the connection of a side. `init` asks for the schema separately. */
const addressNames = (prefix: Prefix): VariableName[] =>
  namesOf(prefix).filter((name) => !KEPT.some((field) => name === `${prefix}_${field}`));

/** A connection string cannot contain these, so they stay when it replaces the others. */
const KEPT = ['SCHEMA', 'SSH', 'SSH_COMMAND'] as const;

/** Whether the address is known. The code that reads the rest reports what is missing. */
export const isAnswered = ({ values }: Answers, prefix: Prefix): boolean =>
  values.has(`${prefix}_URL`) || values.has(`${prefix}_HOST`);

/** Where the address comes from. Undefined if it is not known. */
export const originOf = ({ values }: Answers, prefix: Prefix): string | undefined =>
  (values.get(`${prefix}_URL`) ?? values.get(`${prefix}_HOST`))?.origin;

export const answerOf = ({ values }: Answers, name: VariableName): string | undefined =>
  values.get(name)?.text;

const TYPED = 'what was typed';

/** Replaces all known settings of a connection. */
export function withUrl(answers: Answers, prefix: Prefix, url: string): Answers {
  const names: readonly string[] = addressNames(prefix);
  const others = [...answers.values].filter(([name]) => !names.includes(name));
  return { ...answers, values: new Map([...others, ...typedValues({ [`${prefix}_URL`]: url })]) };
}

const FIELDS = ['HOST', 'PORT', 'DB', 'USERNAME', 'PASSWORD', ...TLS_PARAMETER_FIELDS] as const;

/** The known settings of a connection, from its URL or from its variables. */
export function fieldsOf({ values }: Answers, prefix: Prefix): Partial<Record<ConnectionField, string>> {
  const url = parseConnectionUrl(values.get(`${prefix}_URL`)?.text ?? '');
  const variables = FIELDS.flatMap((field) => {
    const value = values.get(`${prefix}_${field}`);
    return value ? [[field, value.text] as const] : [];
  });
  return { ...Object.fromEntries(variables), ...(!('faults' in url) && fieldsOfUrl(url)) };
}

/** Replaces one setting of a connection. A URL stays a URL, and its other parts and parameters stay. */
export function withField(answers: Answers, prefix: Prefix, field: ConnectionField, text: string): Answers {
  const url = answerOf(answers, `${prefix}_URL`);
  const [name, value] =
    url === undefined || answers.values.has(`${prefix}_${field}`)
      ? [`${prefix}_${field}` as const, text]
      : [`${prefix}_URL` as const, withPart(url, field, text)];
  const others = [...answers.values].filter(([each]) => each !== name);
  return { ...answers, values: new Map([...others, ...typedValues({ [name]: value })]) };
}

/** Adds single answers. */
export const withAnswers = (answers: Answers, typed: Overrides): Answers => ({
  ...answers,
  values: new Map([...answers.values, ...typedValues(typed)]),
});

export const withoutAnswer = (answers: Answers, name: VariableName): Answers => ({
  ...answers,
  values: new Map([...answers.values].filter(([each]) => each !== name)),
});

const typedValues = (typed: Overrides): (readonly [VariableName, Value])[] =>
  Object.entries(typed).flatMap(([name, text]) =>
    text === '' ? [] : [[name as VariableName, { text, origin: TYPED }] as const],
  );

/** The schemas of tables whose entries name none, once these answers are in `.env`. */
export function homesOf(answers: Answers): DefaultSchemas {
  const given = answerOf(answers, 'SOURCE_SCHEMA');
  const source = given ?? variable('SOURCE_SCHEMA')?.default ?? '';
  const destination = answerOf(answers, 'DEST_SCHEMA');
  return {
    source: { schema: source, isSchemaGiven: given !== undefined },
    destination: { schema: destination ?? source, isSchemaGiven: destination !== undefined },
  };
}

/** The entries of an existing pipeline depend on its schemas, so these stay if its connection is known. */
export function withSchemasOf(answers: Answers, filed: Answers): Answers {
  const values = new Map(answers.values);
  for (const prefix of ['SOURCE', 'DEST'] as const) {
    const name = `${prefix}_SCHEMA` as const;
    const value = filed.values.get(name);
    if (value) values.set(name, value);
    else if (isAnswered(filed, prefix)) values.delete(name);
  }
  return { ...answers, values };
}

/** @throws IncrepError CONFIG_INVALID that names what is missing or wrong, without secrets */
export async function connectionOf(answers: Answers, prefix: Prefix): Promise<ConnectionSettings> {
  const problems: Problem[] = [];
  const reading: SettingsReading = {
    directory: answers.directory,
    values: answers.values,
    environment: answers.environment,
    passwords: answers.passwords,
    report: (problem) => void problems.push(problem),
    warn: () => undefined,
  };
  const connection = await readConnection(reading, prefix);
  if (connection && problems.length === 0) return connection;
  throw configError(withoutSecrets(problems, secretsOf(undefined, answers.values)), answers.directory);
}

/**
 * The variables of a side for `.env`. A variable whose value is in a file (`X_FILE`) is written as that name, so that
 * the secret stays there. A credential of systemd is not written at all.
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

/** If no quotes can hold a value, a URL can, because it encodes special characters. */
export function writableAssignments(
  assignments: readonly Assignment[],
  connection: ConnectionSettings,
  prefix: Prefix,
): readonly Assignment[] {
  if (assignmentLines(assignments) !== undefined) return assignments;
  const replaced = [...addressParts(prefix), `${prefix}_URL`];
  const servers = serversOf(connection);
  const url = connectionUrl({
    ...connection,
    // A password command stays a variable of its own.
    password: assignments.some(([name]) => name === `${prefix}_PASSWORD_COMMAND`)
      ? undefined
      : connection.credential.known,
    host: servers.map(({ host }) => host).join(','),
    port: servers.map(({ port }) => port).join(','),
  });
  return [[`${prefix}_URL`, url], ...assignments.filter(([name]) => !replaced.includes(name))];
}
