/** Asks for the connection of one side, tests it at once, and lets the user correct it. */
import { connectionOf, isAnswered, withAddress, withAnswers, type Answers } from '../../config/answers.ts';
import { parseConnectionUrl } from '../../config/connection/connection-url.ts';
import type { ConnectionSettings } from '../../config/settings.ts';
import type { Overrides } from '../../config/environment/values.ts';
import {
  type AddressField,
  type Prefix,
  type TlsField,
  type VariableName,
} from '../../config/environment/variables.ts';
import { IncrepError } from '../../errors.ts';
import type { Prompts } from './prompts.ts';

interface Reached<T> {
  readonly answers: Answers;
  readonly connection: ConnectionSettings;
  readonly side: T;
}

const WORDS = { SOURCE: 'source', DEST: 'destination' } as const;

/** Asks nothing if all settings are known and work. @throws IncrepError INTERRUPTED */
export async function askConnection<T>(
  prompts: Prompts,
  given: Answers,
  prefix: Prefix,
  visit: (connection: ConnectionSettings) => Promise<T>,
): Promise<Reached<T>> {
  let answers = isAnswered(given, prefix) ? given : await askAddress(prompts, given, prefix, undefined);
  for (;;) {
    let connection: ConnectionSettings | undefined;
    try {
      connection = await connectionOf(answers, prefix);
      prompts.say(
        `Connecting to the ${WORDS[prefix]}, ${connection.host}:${connection.port}/${connection.database} ...`,
      );
      return { answers, connection, side: await visit(connection) };
    } catch (error) {
      ensureMendable(error);
      prompts.warn(`${error.message}\n  next: ${error.next}`);
      answers = await correct(prompts, answers, prefix, { connection, code: error.code });
    }
  }
}

/** Any error may be a typing mistake, except for an interruption or a bug. */
function ensureMendable(error: unknown): asserts error is IncrepError {
  if (!(error instanceof IncrepError) || error.code === 'INTERRUPTED' || error.code === 'INTERNAL')
    throw error;
}

interface FailedConnection {
  /** Undefined if the settings do not even describe a connection. */
  readonly connection: ConnectionSettings | undefined;
  readonly code: string;
}

async function correct(
  prompts: Prompts,
  answers: Answers,
  prefix: Prefix,
  { connection, code }: FailedConnection,
): Promise<Answers> {
  const what = connection
    ? await prompts.choose({
        message: `What do you want to correct? (${WORDS[prefix]})`,
        choices: [
          { value: 'password', label: 'The password' },
          { value: 'all', label: 'All settings' },
          { value: 'nothing', label: 'Nothing: try again unchanged' },
        ],
        initial: code === 'AUTHENTICATION_FAILED' ? 'password' : 'all',
      })
    : 'all';
  if (what === 'nothing') return answers;
  if (what === 'all' || !connection) return askAddress(prompts, answers, prefix, connection);
  const password = await prompts.secret(`Password of ${connection.user}`);
  return withAddress(answers, prefix, { ...typedOf(prefix, connection), [`${prefix}_PASSWORD`]: password });
}

/** A connection as variables, with absolute paths of certificates. */
function typedOf(
  prefix: Prefix,
  { host, port, user, password, database, tls }: ConnectionSettings,
): Overrides {
  const fields: Partial<Record<AddressField | TlsField, string | undefined>> = {
    HOST: host,
    PORT: String(port),
    USERNAME: user,
    PASSWORD: password,
    DB: database,
    SSLMODE: tls.mode,
    SSLROOTCERT: tls.rootCert,
    SSLCERT: tls.cert,
    SSLKEY: tls.key,
  };
  return Object.fromEntries(
    Object.entries(fields).flatMap(([field, value]) =>
      value === undefined ? [] : [[`${prefix}_${field}`, value]],
    ),
  );
}

async function askAddress(
  prompts: Prompts,
  answers: Answers,
  prefix: Prefix,
  before: ConnectionSettings | undefined,
): Promise<Answers> {
  const how = await prompts.choose({
    message: `How do you want to enter the ${WORDS[prefix]}?`,
    choices: [
      { value: 'parts', label: 'Host, user and password, one by one' },
      { value: 'url', label: 'A connection URL', hint: 'postgresql://...; it is not shown' },
    ],
    initial: 'parts',
  });
  if (how === 'url') return withAddress(answers, prefix, await askUrl(prompts, prefix));
  const kept = before ? [] : FIELDS.map((field) => `${prefix}_${field}` as const);
  const isKnown = (field: ConnectionField) => !before && answers.values.has(`${prefix}_${field}`);
  return withAddress(answers, prefix, await askParts(prompts, prefix, { before, isKnown }), kept);
}

/** The input is hidden, because most URLs contain a password. The result of the test shows the rest. */
async function askUrl(prompts: Prompts, prefix: Prefix): Promise<Overrides> {
  for (;;) {
    const url = (await prompts.secret(`URL of the ${WORDS[prefix]}`)).trim();
    const parsed = parseConnectionUrl(url);
    if (!('faults' in parsed)) return { [`${prefix}_URL`]: url };
    prompts.warn(parsed.faults.join('\n'));
  }
}

const needed = (text: string): string | undefined => (text.trim() === '' ? 'It cannot be empty.' : undefined);

const isPort = (text: string): string | undefined =>
  /^\d{1,5}$/.test(text.trim()) && Number(text) >= 1 && Number(text) <= 65_535
    ? undefined
    : 'A port is a number from 1 to 65535.';

const SSL_MODES = [
  { value: 'prefer', label: 'prefer', hint: 'encrypted if the server supports it' },
  { value: 'require', label: 'require', hint: 'encrypted, but the server is not verified' },
  { value: 'verify-full', label: 'verify-full', hint: 'encrypted, with a certificate for this host' },
  { value: 'verify-ca', label: 'verify-ca', hint: 'encrypted, with a certificate of a trusted authority' },
  { value: 'disable', label: 'disable', hint: 'not encrypted' },
] as const;

const FIELDS = ['PORT', 'USERNAME', 'PASSWORD', 'DB', 'SSLMODE', 'SSLROOTCERT', 'SSLCERT', 'SSLKEY'] as const;
type ConnectionField = (typeof FIELDS)[number];

interface KnownSettings {
  /** The settings that failed, as initial values. */
  readonly before: ConnectionSettings | undefined;
  /** Settings that a variable sets are not asked, above all the password. */
  readonly isKnown: (field: ConnectionField) => boolean;
}

async function askParts(
  prompts: Prompts,
  prefix: Prefix,
  { before, isKnown }: KnownSettings,
): Promise<Overrides> {
  const typed: Partial<Record<VariableName, string>> = {};
  const ask = async (field: ConnectionField, question: () => Promise<string>) => {
    if (!isKnown(field)) typed[`${prefix}_${field}`] = await question();
  };
  const host = await prompts.text({
    message: `Host of the ${WORDS[prefix]}, or the directory of its socket`,
    initial: before?.host,
    validate: needed,
  });
  // A pasted URL is already visible, so asking for it again would hide nothing.
  if (host.includes('://')) return { [`${prefix}_URL`]: host };
  typed[`${prefix}_HOST`] = host;
  const port = before && String(before.port);
  await ask('PORT', () =>
    prompts.text({ message: 'Port', initial: port, fallback: '5432', validate: isPort }),
  );
  await ask('DB', () => prompts.text({ message: 'Database', initial: before?.database, validate: needed }));
  await ask('USERNAME', () =>
    prompts.text({
      message: `User (a role that ${prefix === 'SOURCE' ? 'can read' : 'can create tables'})`,
      initial: before?.user,
      validate: needed,
    }),
  );
  await ask('PASSWORD', () => prompts.secret('Password (empty for none)'));
  await ask('SSLMODE', () =>
    prompts.choose({
      message: 'Encryption (sslmode, as in libpq)',
      choices: [...SSL_MODES],
      initial: SSL_MODES.find(({ value }) => value === before?.tls.mode)?.value ?? 'prefer',
    }),
  );
  if (typed[`${prefix}_SSLMODE`]?.startsWith('verify'))
    await ask('SSLROOTCERT', () =>
      prompts.text({
        message:
          'PEM file with the trusted authorities (absolute, or relative to the directory of the pipeline)',
        initial: before?.tls.rootCert,
        validate: needed,
      }),
    );
  return typed;
}

/** Asks for a schema until one works. */
export async function askSchema<T>(
  prompts: Prompts,
  given: Answers,
  prefix: Prefix,
  ask: () => Promise<string>,
  visit: (answers: Answers, connection: ConnectionSettings) => Promise<T>,
): Promise<Reached<T>> {
  const name = `${prefix}_SCHEMA` as const;
  let answers = given.values.has(name) ? given : withAnswers(given, { [name]: await ask() });
  for (;;) {
    try {
      const connection = await connectionOf(answers, prefix);
      return { answers, connection, side: await visit(answers, connection) };
    } catch (error) {
      ensureMendable(error);
      prompts.warn(`${error.message}\n  next: ${error.next}`);
      answers = withAnswers(answers, { [name]: await ask() });
    }
  }
}
