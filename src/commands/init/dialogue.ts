/** `init` as a dialogue: what is known is not asked, and what is asked is tried at once. */
import type { Answers } from '../../config/answers.ts';
import { IncrepError } from '../../errors.ts';
import type { Stranger } from '../../init/unclaimed-tables.ts';
import {
  visitDestination,
  visitDestinationSchema,
  visitSource,
  visitSourceSchema,
  type Visit,
} from '../../init/test-connections.ts';
import { askConnection, askSchema } from './ask-connection.ts';
import { askTables } from './ask-tables.ts';
import type { Prompts } from './prompts.ts';
import type { Setup } from './setup.ts';
import { strangersAmong, strangersInWords } from './unclaimed-tables.ts';
import type { PlannedFile } from './write.ts';

/** @throws IncrepError INTERRUPTED; nothing has been written then */
export async function setupByAsking(prompts: Prompts, given: Answers, how: Visit): Promise<Setup> {
  prompts.say(
    `A new pipeline in ${given.directory}\nNothing is written before the end; Ctrl-C leaves all as it is.`,
  );
  const source = await askConnection(prompts, given, 'SOURCE', (settings) => visitSource(settings, how));
  prompts.done(source.side.description);
  const { schemas } = source.side;
  const from = await askSchema(
    prompts,
    source.answers,
    'SOURCE',
    () =>
      schemas.length === 0
        ? prompts.text({ message: 'Schema of the tables', fallback: 'public' })
        : prompts.choose({
            message: 'Schema of the tables',
            choices: schemas.map(({ name, tables }) => ({
              value: name,
              label: name,
              hint: `${tables} tables`,
            })),
          }),
    (_answers, settings) => visitSourceSchema(settings, how),
  );
  const destination = await askConnection(prompts, from.answers, 'DEST', (settings) =>
    visitDestination(settings, how),
  );
  prompts.done(destination.side.description);
  const into = await askSchema(
    prompts,
    destination.answers,
    'DEST',
    () => prompts.text({ message: 'Schema of the copies', fallback: from.connection.schema }),
    (_answers, settings) =>
      visitDestinationSchema(
        { source: from.connection, destination: settings },
        { source: source.side.identity, destination: destination.side.identity },
        how,
      ),
  );
  const { tables, writable } = from.side;
  const chosen = await askTables(prompts, tables);
  const looking = { answers: into.answers, destination: into.connection, chosen };
  const strangers = await strangersAmong(looking, how);
  if (strangers.length > 0) await askDirection(prompts, strangers, [source, destination]);
  return {
    chosen,
    strangers,
    // Said before anything was chosen.
    leftOut: [],
    answers: into.answers,
    source: from.connection,
    destination: into.connection,
    tables,
    writable,
  };
}

/** The one mistake that a sync could not undo is to have the two sides exchanged. @throws IncrepError USAGE */
async function askDirection(
  prompts: Prompts,
  strangers: readonly Stranger[],
  [from, to]: readonly { readonly side: { readonly description: string } }[],
): Promise<void> {
  prompts.warn(
    `Tables are ${strangersInWords(strangers)}.\nRows flow from ${from?.side.description ?? 'the source'}\nto ${to?.side.description ?? 'the destination'}.`,
  );
  if (await prompts.confirm('Are source and destination the right way round?', false)) return;
  throw new IncrepError('USAGE', {
    what: 'source and destination may be exchanged',
    next: 'Nothing was written. Run "increp init" again with the right ones.',
  });
}

/** Asks for each file that would be overwritten; one that may not be stays as it is. */
export async function permitted(prompts: Prompts, files: readonly PlannedFile[]): Promise<PlannedFile[]> {
  const kept: PlannedFile[] = [];
  for (const file of files) {
    const mayReplace =
      file.change !== 'replace' ||
      (await prompts.confirm(`${file.name} is there already. Replace it?`, false));
    kept.push(mayReplace ? file : { ...file, change: 'none' });
  }
  return kept;
}
