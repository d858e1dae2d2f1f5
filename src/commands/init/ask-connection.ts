/** Asks for the connection of one side, tests it at once, and lets the user correct it. */
import {
  answerOf,
  connectionOf,
  fieldsOf,
  isAnswered,
  withAnswers,
  withField,
  withoutAnswer,
  withUrl,
  type Answers,
} from '../../config/answers.ts';
import { NO_BASTION, readBastionAddress, throughWords } from '../../config/connection/bastion.ts';
import { parseConnectionUrl } from '../../config/connection/connection-url.ts';
import { hostFault } from '../../config/connection/connection.ts';
import { addressWords, serverNames } from '../../config/connection/servers.ts';
import { isConninfo } from '../../config/connection/conninfo.ts';
import type { ConnectionSettings } from '../../config/settings.ts';
import type { Prefix } from '../../config/environment/variables.ts';
import { IncrepError } from '../../errors.ts';
import { listed } from '../../format.ts';
import { pastedConnection } from '../../init/pasted-connection.ts';
import type { SchemaRights } from '../../init/read-tables.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';
import type { Dialogue } from './going-back.ts';
import { gaveUp, type PromptChoice, type Prompts } from './prompts.ts';

interface Reached<T> {
  readonly answers: Answers;
  readonly connection: ConnectionSettings;
  readonly side: T;
}

/** Settings that must be tested again. */
interface Corrected {
  readonly corrected: Answers;
}

const WORDS = { SOURCE: 'source', DEST: 'destination' } as const;

/** Asks nothing if all settings are known and work. @throws IncrepError INTERRUPTED */
export async function askConnection<T>(
  dialogue: Dialogue,
  given: Answers,
  prefix: Prefix,
  visit: (connection: ConnectionSettings) => Promise<T>,
): Promise<Reached<T>> {
  let answers = isAnswered(given, prefix) ? given : await askParts(dialogue, given, prefix);
  for (;;) {
    const current = answers;
    try {
      const connection = await dialogue.once(() => connectionOf(current, prefix));
      dialogue.say(
        `Connecting to the ${WORDS[prefix]}, ${serverNames(connection)}/${connection.database}${throughWords(connection)} ...`,
      );
      return { answers, connection, side: await dialogue.once(() => visit(connection)) };
    } catch (error) {
      ensureMendable(error);
      dialogue.warn(withNext(error.message, adviceOf(error)));
      const { code, sqlstate } = error;
      const initial = SUSPECTS[sqlstate ?? code] ?? SUSPECTS[code] ?? 'all';
      const what = await chooseCorrection(dialogue, answers, prefix, { initial });
      answers = await applyCorrection(dialogue, answers, prefix, what);
    }
  }
}

/** The error names variables in .env, which is not written yet. The dialogue asks for no client certificate. */
function adviceOf({ code, sqlstate, message, next }: IncrepError): string {
  if (sqlstate === SQLSTATE.invalidCatalogName)
    return 'Correct the database here, or create it on that server.';
  if (code === 'CONFIG_INVALID') return 'Correct the setting here.';
  if (code === 'CONNECTION_FAILED')
    return 'Correct the host or the port here. Check that the server is running, and that this machine can reach it.';
  if (code === 'TLS_FAILED') return 'Change the encryption or the trusted authorities here.';
  if (code !== 'AUTHENTICATION_FAILED' || /certificate/.test(message) || /has no TLS/.test(next)) return next;
  return /no encryption/.test(message)
    ? 'Change the encryption to "require" here, or check pg_hba.conf on that server.'
    : 'Correct the user or the password here. If both are correct, check pg_hba.conf on that server.';
}

/** Any error may be a typing mistake, except for an interruption or a bug. */
function ensureMendable(error: unknown): asserts error is IncrepError {
  if (!(error instanceof IncrepError) || error.code === 'INTERRUPTED' || error.code === 'INTERNAL')
    throw error;
}

/** In the order of the questions. */
const LABELS = {
  HOST: 'Host',
  PORT: 'Port',
  DB: 'Database',
  USERNAME: 'User',
  PASSWORD: 'Password',
  SSLMODE: 'Encryption',
  SSLROOTCERT: 'Trusted authorities',
} as const;
type AskedField = keyof typeof LABELS;
const ASKED = Object.keys(LABELS) as readonly AskedField[];

/** The setting that an error points to, by SQLSTATE or by code. */
const SUSPECTS: Readonly<Record<string, AskedField | 'SSH'>> = {
  AUTHENTICATION_FAILED: 'PASSWORD',
  CONNECTION_FAILED: 'HOST',
  SSH_FAILED: 'SSH',
  TLS_FAILED: 'SSLMODE',
  [SQLSTATE.invalidAuthorization]: 'SSLMODE',
  [SQLSTATE.invalidCatalogName]: 'DB',
};

type Correction = AskedField | 'SSH' | 'SCHEMA' | 'all' | 'nothing';

/** One setting can be corrected alone. @throws IncrepError INTERRUPTED */
async function chooseCorrection(
  prompts: Prompts,
  answers: Answers,
  prefix: Prefix,
  { initial, nothing = 'try again unchanged' }: { readonly initial: Correction; readonly nothing?: string },
): Promise<Correction> {
  const fields = fieldsOf(answers, prefix);
  const schema = answerOf(answers, `${prefix}_SCHEMA`);
  if (fields.HOST === undefined && schema === undefined) return 'all';
  const shown: Partial<Record<AskedField, string>> = {
    SSLMODE: 'prefer',
    ...fields,
    PASSWORD: fields.PASSWORD ? 'hidden' : 'none',
  };
  const ssh = answerOf(answers, `${prefix}_SSH`);
  const what = await prompts.choose<Correction | 'give up'>({
    message: `What do you want to correct? (${WORDS[prefix]})`,
    choices: [
      ...ASKED.flatMap((field): PromptChoice<AskedField>[] =>
        shown[field] === undefined ? [] : [{ value: field, label: `${LABELS[field]}: ${shown[field]}` }],
      ),
      ...(schema === undefined ? [] : [{ value: 'SCHEMA' as const, label: `Schema: ${schema}` }]),
      { value: 'SSH', label: `SSH tunnel: ${ssh ?? 'none'}` },
      { value: 'all', label: 'All settings' },
      { value: 'nothing', label: `Nothing: ${nothing}` },
      { value: 'give up', label: 'Give up: write nothing' },
    ],
    initial,
  });
  if (what === 'give up') throw gaveUp('stopped: no pipeline was created');
  return what;
}

/** Each question starts from the present value. */
async function applyCorrection(
  prompts: Prompts,
  answers: Answers,
  prefix: Prefix,
  what: Correction,
): Promise<Answers> {
  if (what === 'nothing') return answers;
  if (what === 'SCHEMA') return withoutAnswer(answers, `${prefix}_SCHEMA`);
  if (what === 'SSH') return askBastion(prompts, answers, prefix);
  if (what === 'all') return askParts(prompts, answers, prefix);
  // A wrong password cannot be corrected without seeing it, so it is typed again.
  const known = what === 'PASSWORD' ? withField(answers, prefix, what, '') : answers;
  return askField(prompts, known, prefix, what);
}

/** The schema is asked for again, because another database has others. */
const applyWithoutSchema = async (
  prompts: Prompts,
  answers: Answers,
  prefix: Prefix,
  what: Correction,
): Promise<Answers> =>
  what === 'nothing'
    ? answers
    : withoutAnswer(await applyCorrection(prompts, answers, prefix, what), `${prefix}_SCHEMA`);

/** The connection that is probably wrong. */
type Suspected = Prefix | 'both';

interface DoubtfulSides {
  readonly suspected: Suspected;
  readonly source: ConnectionSettings;
  readonly destination: ConnectionSettings;
}

/** Asks which side to correct, and what. @throws IncrepError INTERRUPTED */
export async function correctConnections(
  prompts: Prompts,
  given: Answers,
  { suspected, source, destination }: DoubtfulSides,
): Promise<Answers> {
  const side = await prompts.choose<Suspected>({
    message: 'Which connection do you want to correct?',
    choices: [
      { value: 'SOURCE', label: `The source: ${addressWords(source)}` },
      { value: 'DEST', label: `The destination: ${addressWords(destination)}` },
      { value: 'both', label: 'Both' },
    ],
    initial: suspected,
  });
  let answers = given;
  for (const prefix of side === 'both' ? (['SOURCE', 'DEST'] as const) : [side]) {
    const what = await chooseCorrection(prompts, answers, prefix, {
      initial: 'HOST',
      nothing: `the ${WORDS[prefix]} is correct`,
    });
    answers = await applyWithoutSchema(prompts, answers, prefix, what);
  }
  return answers;
}

/** The host of a database that only a bastion can reach cannot be corrected otherwise. */
async function askBastion(prompts: Prompts, answers: Answers, prefix: Prefix): Promise<Answers> {
  const name = `${prefix}_SSH` as const;
  const text = await prompts.text({
    id: name,
    message: `SSH server for the ${WORDS[prefix]} (USER@HOST:PORT, or none)`,
    initial: answerOf(answers, name),
    fallback: NO_BASTION,
    validate: (typed) => bastionFault(typed),
  });
  return withAnswers(answers, { [name]: text.trim() });
}

function bastionFault(typed: string): string | undefined {
  const read = readBastionAddress(typed.trim());
  return 'fault' in read ? `This ${read.fault}.` : undefined;
}

function faultsOfUrl(text: string): string | undefined {
  const parsed = parseConnectionUrl(
    pastedConnection(text),
    'enter the host here: increp then asks for the password, which needs no encoding',
  );
  return 'faults' in parsed ? parsed.faults.join('; ') : undefined;
}

/** Settings that a variable sets are asked only to correct them. */
async function askParts(prompts: Prompts, given: Answers, prefix: Prefix): Promise<Answers> {
  const { HOST, ...fields } = fieldsOf(given, prefix);
  let answers = HOST === undefined && isAnswered(given, prefix) ? withUrl(given, prefix, '') : given;
  for (const field of ASKED) {
    const isKnown = HOST === undefined && field !== 'HOST' && fields[field] !== undefined;
    // Its question follows the mode of encryption.
    if (isKnown || field === 'SSLROOTCERT') continue;
    const text = await QUESTIONS[field](prompts, fieldsOf(answers, prefix), prefix);
    answers = await withText(prompts, answers, prefix, { field, text });
    if (isWhole(field, text)) return answers;
  }
  return answers;
}

async function askField(
  prompts: Prompts,
  answers: Answers,
  prefix: Prefix,
  field: AskedField,
): Promise<Answers> {
  const text = await QUESTIONS[field](prompts, fieldsOf(answers, prefix), prefix);
  return withText(prompts, answers, prefix, { field, text });
}

/** A connection string is accepted as the host. It answers all questions. */
const isWhole = (field: AskedField, text: string): boolean =>
  field === 'HOST' && isConninfo(pastedConnection(text));

async function withText(
  prompts: Prompts,
  answers: Answers,
  prefix: Prefix,
  { field, text }: { readonly field: AskedField; readonly text: string },
): Promise<Answers> {
  if (isWhole(field, text)) return withUrl(answers, prefix, pastedConnection(text));
  const corrected = withField(answers, prefix, field, text);
  if (field !== 'SSLMODE') return corrected;
  return text.startsWith('verify')
    ? askField(prompts, corrected, prefix, 'SSLROOTCERT')
    : withField(corrected, prefix, 'SSLROOTCERT', '');
}

/** Not a URL, which the user may have pasted into the wrong question. */
const isName = (text: string): string | undefined =>
  text.trim() === ''
    ? 'It cannot be empty.'
    : isConninfo(text)
      ? 'This is a URL. To enter a URL, press Esc until increp asks for the host.'
      : undefined;

const isHost = (text: string): string | undefined =>
  isConninfo(pastedConnection(text))
    ? faultsOfUrl(text)
    : (isName(text) ?? text.split(',').map(faultOfHost).find(Boolean));

/** The same rule as for the variable. */
function faultOfHost(text: string): string | undefined {
  const host = text.trim();
  const fault = host.includes('=') && !host.startsWith('/') ? 'other' : hostFault(host);
  if (fault === undefined) return undefined;
  if (fault === 'port' || /^[^:/]+:\d+\//.test(host))
    return 'This contains a port. Enter the host alone; the next questions are about the port and the database.';
  return NO_HOST;
}

const NO_HOST =
  'This is not a host. increp accepts a name, an address, the directory of a socket, a URL, host=... dbname=..., or a psql command with a URL or -h.';

const isPort = (text: string): string | undefined =>
  text.split(',').every((port) => /^\s*\d{1,5}\s*$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)
    ? undefined
    : 'A port is a number from 1 to 65535.';

const SSL_MODES = [
  { value: 'prefer', label: 'prefer', hint: 'encrypted if the server supports it' },
  { value: 'require', label: 'require', hint: 'encrypted, but the server is not verified' },
  { value: 'verify-full', label: 'verify-full', hint: 'encrypted, with a certificate for this host' },
  { value: 'verify-ca', label: 'verify-ca', hint: 'encrypted, with a certificate of a trusted authority' },
  { value: 'disable', label: 'disable', hint: 'not encrypted' },
] as const;

type Fields = ReturnType<typeof fieldsOf>;
type AskForField = (prompts: Prompts, before: Fields, prefix: Prefix) => Promise<string>;

const QUESTIONS: Readonly<Record<AskedField, AskForField>> = {
  HOST: (prompts, { HOST }, prefix) =>
    prompts.text({
      id: `${prefix}_HOST`,
      message: `Host of the ${WORDS[prefix]}, or a URL (postgresql://...)`,
      initial: HOST,
      validate: isHost,
    }),
  PORT: (prompts, { PORT }, prefix) =>
    prompts.text({
      id: `${prefix}_PORT`,
      message: 'Port',
      initial: PORT,
      fallback: '5432',
      validate: isPort,
    }),
  DB: (prompts, { DB }, prefix) =>
    prompts.text({ id: `${prefix}_DB`, message: 'Database', initial: DB, validate: isName }),
  USERNAME: (prompts, { USERNAME }, prefix) =>
    prompts.text({
      id: `${prefix}_USERNAME`,
      message: `User (a role that ${prefix === 'SOURCE' ? 'can read' : 'can create tables'})`,
      initial: USERNAME,
      validate: isName,
    }),
  PASSWORD: (prompts, { USERNAME, PASSWORD }, prefix) =>
    prompts.secret({
      id: `${prefix}_PASSWORD`,
      message: `Password of ${USERNAME} (empty for none)`,
      initial: PASSWORD,
    }),
  SSLMODE: (prompts, { SSLMODE }, prefix) =>
    prompts.choose({
      id: `${prefix}_SSLMODE`,
      message: 'Encryption (sslmode, as in libpq)',
      choices: [...SSL_MODES],
      initial: SSL_MODES.find(({ value }) => value === SSLMODE)?.value ?? 'prefer',
    }),
  SSLROOTCERT: (prompts, { SSLROOTCERT }, prefix) =>
    prompts.text({
      id: `${prefix}_SSLROOTCERT`,
      message: 'PEM file with the trusted authorities',
      initial: SSLROOTCERT,
      validate: isName,
    }),
};

/** Further lines of the step are aligned below its first. */
const withNext = (what: string, next: string): string =>
  `${what}\n  next: ${next.replaceAll('\n', '\n        ')}`;

const OTHER_SCHEMA = 'Enter another schema, or press Esc to change the connection.';

export interface FormerSchema {
  readonly former: string | undefined;
  /** The schema that cannot be used, so that it is not proposed again. */
  readonly refused: string | undefined;
}

/**
 * Asks for a schema until one works, or until the user corrects another setting of the connection. The next question
 * starts from the last answer, unless it can never work.
 */
export async function askSchema<T>(
  dialogue: Dialogue,
  { given, refused }: { readonly given: Answers; readonly refused?: string },
  prefix: Prefix,
  ask: (before: FormerSchema) => Promise<string>,
  visit: (answers: Answers, connection: ConnectionSettings) => Promise<T>,
): Promise<Reached<T> | Corrected> {
  const name = `${prefix}_SCHEMA` as const;
  const asked = async (before: Answers, without?: string) =>
    withAnswers(before, {
      [name]: await ask({
        former: without === undefined ? answerOf(before, name) : undefined,
        refused: without,
      }),
    });
  let answers = given.values.has(name) && refused === undefined ? given : await asked(given, refused);
  for (;;) {
    const current = answers;
    let schema: string | undefined;
    try {
      const connection = await dialogue.once(() => connectionOf(current, prefix));
      ({ schema } = connection);
      return { answers, connection, side: await dialogue.once(() => visit(current, connection)) };
    } catch (error) {
      ensureMendable(error);
      const isSame = error.code === 'SAME_DATABASE';
      dialogue.warn(withNext(error.message, isSame ? OTHER_SCHEMA : error.next));
      if (isSame) {
        answers = await asked(answers, schema);
        continue;
      }
      const what = await chooseCorrection(dialogue, answers, prefix, { initial: 'SCHEMA' });
      if (what === 'SCHEMA') answers = await asked(answers);
      else if (what !== 'nothing')
        return { corrected: await applyWithoutSchema(dialogue, answers, prefix, what) };
    }
  }
}

/** In a question, which has one line. */
const MOST_SCHEMAS = 3;

/** If the role may not create schemas, the question names the schemas that it can use. */
export function askDestinationSchema(
  dialogue: Dialogue,
  { former, refused }: FormerSchema,
  { wanted, rights }: { readonly wanted: readonly string[]; readonly rights: SchemaRights },
): Promise<string> {
  const usable = rights.canCreateSchema ? [] : rights.writable.filter((each) => each !== refused);
  const possible = wanted.filter(
    (each) => each !== refused && (usable.length === 0 || usable.includes(each)),
  );
  const isPossible = former !== undefined && (usable.length === 0 || usable.includes(former));
  const places =
    usable.length === 0 ? '' : ` (this role may create tables in ${listed(usable, MOST_SCHEMAS)})`;
  return dialogue.text({
    id: refused === undefined ? 'DEST_SCHEMA' : `DEST_SCHEMA other than ${refused}`,
    message: `Schema of the destination tables${places}`,
    initial: isPossible ? former : undefined,
    fallback: possible[0] ?? (usable.length === 1 ? usable[0] : undefined),
    validate: (typed) => schemaFault(typed.trim(), refused),
  });
}

const schemaFault = (typed: string, refused: string | undefined): string | undefined =>
  typed === refused
    ? `"${typed}" is the schema that was refused. Enter another schema, or press Esc to go back.`
    : isName(typed);
