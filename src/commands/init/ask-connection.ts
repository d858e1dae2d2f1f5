/** Asks how a side is reached, tries it at once, and lets a person correct what was wrong. */
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

/** Asks nothing where everything is known and works. @throws IncrepError INTERRUPTED */
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
      prompts.warn(`${error.message}\nnext: ${error.next}`);
      answers = await correct(prompts, answers, prefix, { connection, code: error.code });
    }
  }
}

/** Anything but an end from outside or a bug of ours may be a slip of the keyboard. */
function ensureMendable(error: unknown): asserts error is IncrepError {
  if (!(error instanceof IncrepError) || error.code === 'INTERRUPTED' || error.code === 'INTERNAL')
    throw error;
}

interface Failed {
  /** Undefined where not even that came about. */
  readonly connection: ConnectionSettings | undefined;
  readonly code: string;
}

async function correct(
  prompts: Prompts,
  answers: Answers,
  prefix: Prefix,
  { connection, code }: Failed,
): Promise<Answers> {
  const what = connection
    ? await prompts.choose({
        message: `What do you want to correct? (${WORDS[prefix]})`,
        choices: [
          { value: 'password', label: 'The password' },
          { value: 'all', label: 'All of it' },
          { value: 'nothing', label: 'Nothing: try again as it is' },
        ],
        initial: code === 'AUTHENTICATION_FAILED' ? 'password' : 'all',
      })
    : 'all';
  if (what === 'nothing') return answers;
  if (what === 'all' || !connection) return askAddress(prompts, answers, prefix, connection);
  const password = await prompts.secret(`Password of ${connection.user}`);
  return withAddress(answers, prefix, { ...typedOf(prefix, connection), [`${prefix}_PASSWORD`]: password });
}

/** A connection in the words of the variables; certificates by their absolute paths. */
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
    message: `How do you want to say where the ${WORDS[prefix]} is?`,
    choices: [
      { value: 'parts', label: 'Host, user and password, one by one' },
      { value: 'url', label: 'By a connection URL, to paste', hint: 'postgresql://...; it is not shown' },
    ],
    initial: 'parts',
  });
  if (how === 'url') return withAddress(answers, prefix, await askUrl(prompts, prefix));
  const kept = before ? [] : FIELDS.map((field) => `${prefix}_${field}` as const);
  const isKnown = (field: Field) => !before && answers.values.has(`${prefix}_${field}`);
  return withAddress(answers, prefix, await askParts(prompts, prefix, { before, isKnown }), kept);
}

/** Not shown, because most have a password in them; what it says is told once it is tried. */
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
  { value: 'prefer', label: 'prefer', hint: 'encrypted where the server can' },
  { value: 'require', label: 'require', hint: 'encrypted, whoever answers' },
  { value: 'verify-full', label: 'verify-full', hint: 'encrypted, and the certificate names this host' },
  { value: 'verify-ca', label: 'verify-ca', hint: 'encrypted, with a certificate of that authority' },
  { value: 'disable', label: 'disable', hint: 'not encrypted' },
] as const;

const FIELDS = ['PORT', 'USERNAME', 'PASSWORD', 'DB', 'SSLMODE', 'SSLROOTCERT', 'SSLCERT', 'SSLKEY'] as const;
type Field = (typeof FIELDS)[number];

interface Known {
  /** What was tried and failed, to be corrected. */
  readonly before: ConnectionSettings | undefined;
  /** Said by a variable, and so not asked: the password, most of all. */
  readonly isKnown: (field: Field) => boolean;
}

async function askParts(prompts: Prompts, prefix: Prefix, { before, isKnown }: Known): Promise<Overrides> {
  const typed: Partial<Record<VariableName, string>> = {};
  const ask = async (field: Field, question: () => Promise<string>) => {
    if (!isKnown(field)) typed[`${prefix}_${field}`] = await question();
  };
  const host = await prompts.text({
    message: `Host of the ${WORDS[prefix]}, or the directory of its socket`,
    initial: before?.host,
    validate: needed,
  });
  // Pasted here it has been seen already; to ask for it again would hide nothing.
  if (host.includes('://')) return { [`${prefix}_URL`]: host };
  typed[`${prefix}_HOST`] = host;
  const port = before && String(before.port);
  await ask('PORT', () =>
    prompts.text({ message: 'Port', initial: port, fallback: '5432', validate: isPort }),
  );
  await ask('DB', () => prompts.text({ message: 'Database', initial: before?.database, validate: needed }));
  await ask('USERNAME', () =>
    prompts.text({
      message: `User (a role that ${prefix === 'SOURCE' ? 'can read is enough' : 'may create tables'})`,
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
        message: "PEM file of the authorities to trust (absolute, or from the pipeline's directory)",
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
      prompts.warn(`${error.message}\nnext: ${error.next}`);
      answers = withAnswers(answers, { [name]: await ask() });
    }
  }
}
