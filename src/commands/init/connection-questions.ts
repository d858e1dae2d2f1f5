/** The questions about the connection of one side, and what each accepts. */
import {
  answerOf,
  fieldsOf,
  isAnswered,
  withAnswers,
  withField,
  withUrl,
  type Answers,
} from '../../config/answers.ts';
import { NO_BASTION, readBastionAddress } from '../../config/connection/bastion.ts';
import { parseConnectionUrl } from '../../config/connection/connection-url.ts';
import { hostFault } from '../../config/connection/connection.ts';
import { isConninfo } from '../../config/connection/conninfo.ts';
import type { Prefix } from '../../config/environment/variables.ts';
import { pastedConnection } from '../../init/pasted-connection.ts';
import type { Prompts } from './prompts.ts';

export const SIDE_WORDS = { SOURCE: 'source', DEST: 'destination' } as const;

/** In the order of the questions. */
export const FIELD_LABELS = {
  HOST: 'Host',
  PORT: 'Port',
  DB: 'Database',
  USERNAME: 'User',
  PASSWORD: 'Password',
  SSLMODE: 'Encryption',
  SSLROOTCERT: 'Trusted authorities',
} as const;
export type AskedField = keyof typeof FIELD_LABELS;
export const ASKED_FIELDS = Object.keys(FIELD_LABELS) as readonly AskedField[];

/** The host of a database that only a bastion can reach cannot be corrected otherwise. */
export async function askBastion(prompts: Prompts, answers: Answers, prefix: Prefix): Promise<Answers> {
  const name = `${prefix}_SSH` as const;
  const text = await prompts.text({
    id: name,
    message: `SSH server for the ${SIDE_WORDS[prefix]} (USER@HOST:PORT, or none)`,
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
export async function askParts(prompts: Prompts, given: Answers, prefix: Prefix): Promise<Answers> {
  const { HOST, ...fields } = fieldsOf(given, prefix);
  let answers = HOST === undefined && isAnswered(given, prefix) ? withUrl(given, prefix, '') : given;
  for (const field of ASKED_FIELDS) {
    const isKnown = HOST === undefined && field !== 'HOST' && fields[field] !== undefined;
    // Its question follows the mode of encryption.
    if (isKnown || field === 'SSLROOTCERT') continue;
    const text = await QUESTIONS[field](prompts, fieldsOf(answers, prefix), prefix);
    answers = await withText(prompts, answers, prefix, { field, text });
    if (isWhole(field, text)) return answers;
  }
  return answers;
}

export async function askField(
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
export const isName = (text: string): string | undefined =>
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
      message: `Host of the ${SIDE_WORDS[prefix]}, or a URL (postgresql://...)`,
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
