/** Asks for the schema of one side until it can be used. */
import { answerOf, connectionOf, withAnswers, type Answers } from '../../config/answers.ts';
import type { ConnectionSettings } from '../../config/settings.ts';
import type { Prefix } from '../../config/environment/variables.ts';
import { listed } from '../../format.ts';
import type { SchemaRights } from '../../init/read-tables.ts';
import type { Dialogue } from './going-back.ts';
import {
  applyWithoutSchema,
  chooseCorrection,
  ensureMendable,
  withNext,
  type Reached,
} from './ask-connection.ts';
import { isName } from './connection-questions.ts';

/** Settings that must be tested again. */
interface Corrected {
  readonly corrected: Answers;
}

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
