/** Asks for the connection of one side, tests it at once, and lets the user correct it. */
import {
  answerOf,
  connectionOf,
  fieldsOf,
  isAnswered,
  withField,
  withoutAnswer,
  type Answers,
} from '../../config/answers.ts';
import { throughWords } from '../../config/connection/bastion.ts';
import { addressWords, serverNames } from '../../config/connection/servers.ts';
import type { ConnectionSettings } from '../../config/settings.ts';
import type { Prefix } from '../../config/environment/variables.ts';
import { IncrepError } from '../../errors.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';
import type { Dialogue } from './going-back.ts';
import { gaveUp, type PromptChoice, type Prompts } from './prompts.ts';
import {
  ASKED_FIELDS,
  askBastion,
  askField,
  askParts,
  FIELD_LABELS,
  SIDE_WORDS,
  type AskedField,
} from './connection-questions.ts';

export interface Reached<T> {
  readonly answers: Answers;
  readonly connection: ConnectionSettings;
  readonly side: T;
}

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
        `Connecting to the ${SIDE_WORDS[prefix]}, ${serverNames(connection)}/${connection.database}${throughWords(connection)} ...`,
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
export function ensureMendable(error: unknown): asserts error is IncrepError {
  if (!(error instanceof IncrepError) || error.code === 'INTERRUPTED' || error.code === 'INTERNAL')
    throw error;
}

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
export async function chooseCorrection(
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
    message: `What do you want to correct? (${SIDE_WORDS[prefix]})`,
    choices: [
      ...ASKED_FIELDS.flatMap((field): PromptChoice<AskedField>[] =>
        shown[field] === undefined
          ? []
          : [{ value: field, label: `${FIELD_LABELS[field]}: ${shown[field]}` }],
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
export const applyWithoutSchema = async (
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
      nothing: `the ${SIDE_WORDS[prefix]} is correct`,
    });
    answers = await applyWithoutSchema(prompts, answers, prefix, what);
  }
  return answers;
}

/** Further lines of the step are aligned below its first. */
export const withNext = (what: string, next: string): string =>
  `${what}\n  next: ${next.replaceAll('\n', '\n        ')}`;
