/** `init` as a dialogue. It asks only for unknown settings, and tests each answer at once. */
import type { Answers } from '../../config/answers.ts';
import { IncrepError } from '../../errors.ts';
import type { UnclaimedTable } from '../../init/unclaimed-tables.ts';
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
import { unclaimedAmong, listUnclaimed } from './unclaimed-tables.ts';
import type { PlannedFile } from './write.ts';

/** @throws IncrepError INTERRUPTED; no file is written then */
export async function setupByAsking(prompts: Prompts, given: Answers, how: Visit): Promise<Setup> {
  prompts.say(
    `A new pipeline in ${given.directory}\nincrep writes files only at the end. Ctrl-C stops without changes.`,
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
    () => prompts.text({ message: 'Schema of the destination tables', fallback: from.connection.schema }),
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
  const unclaimed = await unclaimedAmong(looking, how);
  if (unclaimed.length > 0) await askDirection(prompts, unclaimed, [source, destination]);
  return {
    chosen,
    unclaimed,
    // This warning comes before the choice of tables.
    leftOut: [],
    answers: into.answers,
    source: from.connection,
    destination: into.connection,
    tables,
    writable,
  };
}

/** If the two sides are exchanged, a sync cannot undo the mistake. @throws IncrepError USAGE */
async function askDirection(
  prompts: Prompts,
  unclaimed: readonly UnclaimedTable[],
  [from, to]: readonly { readonly side: { readonly description: string } }[],
): Promise<void> {
  prompts.warn(
    `The destination has rows that increp did not write: ${listUnclaimed(unclaimed)}.\nRows flow from ${from?.side.description ?? 'the source'}\nto ${to?.side.description ?? 'the destination'}.`,
  );
  if (await prompts.confirm('Are source and destination correct?', false)) return;
  throw new IncrepError('USAGE', {
    what: 'source and destination may be swapped',
    next: 'Nothing was written. Run "increp init" again with the correct connections.',
  });
}

/** Asks before it overwrites a file. A refused file stays unchanged. */
export async function permitted(prompts: Prompts, files: readonly PlannedFile[]): Promise<PlannedFile[]> {
  const kept: PlannedFile[] = [];
  for (const file of files) {
    const mayReplace =
      file.change !== 'replace' || (await prompts.confirm(`${file.name} already exists. Replace it?`, false));
    kept.push(mayReplace ? file : { ...file, change: 'none' });
  }
  return kept;
}
