/** What `types: "native"` does to the types of the destination. */
import type pg from 'pg';
import { queryOnePinnedFirst, queryUsually } from '../../postgres/usual-path.ts';
import { IncrepError } from '../../errors.ts';
import { printName } from '../../schema/names.ts';
import { judgeTypes, type NativeType } from '../../schema/native-types.ts';
import type { TableFacts } from '../facts/facts.ts';
import { describeFound, homesOf } from '../facts/user-types.ts';
import { additionsTo, creationOf, printHome } from '../plan/type-changes.ts';
import type { RunContext } from '../context/run-context.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

/** Another table of this run, or another run, may have made the types meanwhile. */
async function lookAgain(client: pg.ClientBase, facts: TableFacts): Promise<NativeType[]> {
  const { types } = facts.natives;
  const homes = homesOf(facts);
  return judgeTypes(
    types,
    await describeFound(
      client,
      types.map(({ source }) => source),
      [homes],
    ),
    homes,
  );
}

/**
 * Gives enums of the destination the labels that they lack, in a transaction of its own: a label cannot be used in
 * the transaction that adds it (PostgreSQL 12). Should what follows fail, nothing uses it yet.
 */
export async function addMissingLabels(context: RunContext, facts: TableFacts): Promise<void> {
  const isConcerned = facts.natives.types.some(({ verdict }) => verdict.kind === 'lacks-labels');
  if (!isConcerned) return;
  await context.destination.withWriting([], async (client) => {
    const types = await lookAgain(client, facts);
    for (const statement of types.flatMap(additionsTo)) await queryUsually(client, statement);
  });
}

/** Makes the types that a load needs, in its transaction. */
export async function createMissingTypes(client: pg.ClientBase, facts: TableFacts): Promise<void> {
  if (!facts.natives.types.some(({ verdict }) => verdict.kind === 'missing')) return;
  for (const type of await lookAgain(client, facts)) {
    if (type.verdict.kind === 'alike') continue;
    if (type.verdict.kind !== 'missing') throw movedMeanwhile(facts, type);
    await create(client, facts, type);
  }
}

async function create(client: pg.ClientBase, facts: TableFacts, type: NativeType): Promise<void> {
  try {
    // Part of it is what the source has printed.
    await queryOnePinnedFirst(client, creationOf(type, facts.natives));
  } catch (error) {
    throw isDuplicate(error) ? movedMeanwhile(facts, type) : error;
  }
}

const isDuplicate = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  [SQLSTATE.uniqueViolation, SQLSTATE.duplicateObject].some((code) => code === error.code);

const movedMeanwhile = ({ destinationName }: TableFacts, type: NativeType): IncrepError =>
  new IncrepError('SCHEMA_CHANGED', {
    what: `the type ${printHome(type)} appeared at the destination while ${printName(destinationName)} was about to be loaded`,
    next: 'Run increp again.',
  });
