/** `types: "native"`: creates and extends types at the destination. */
import type pg from 'pg';
import { queryOnePinnedFirst, queryUsually } from '../../postgres/user-search-path.ts';
import { asIncrepError, IncrepError } from '../../errors.ts';
import { printName } from '../../schema/names.ts';
import { judgeTypes, type NativeType } from '../../schema/native-types.ts';
import type { TableFacts } from '../facts/facts.ts';
import { describeFound, homesOf } from '../facts/user-types.ts';
import { additionsTo, creationOf, printHome } from '../plan/type-changes.ts';
import type { RunContext } from '../context/run-context.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

/** Judges the types again, because another table of this run or another run may have created them meanwhile. */
async function judgeAgain(client: pg.ClientBase, facts: TableFacts): Promise<NativeType[]> {
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
 * Adds missing labels to enums of the destination. It uses a separate transaction, because a label cannot be used in the
 * transaction that adds it (since PostgreSQL 12). If the sync fails later, the labels are unused, which does no harm.
 */
export async function addMissingLabels(context: RunContext, facts: TableFacts): Promise<void> {
  const isConcerned = facts.natives.types.some(({ verdict }) => verdict.kind === 'lacks-labels');
  if (!isConcerned) return;
  await context.destination.withWriting([], async (client) => {
    const types = await judgeAgain(client, facts);
    for (const statement of types.flatMap(additionsTo)) await queryUsually(client, statement);
  });
}

/**
 * With several jobs, the types are created in a transaction of their own. Otherwise the loads of other tables with the same types
 * would wait for the end of this load. If the load fails, its types are unused, which does no harm.
 */
export async function createTypesAhead(context: RunContext, facts: TableFacts): Promise<void> {
  if (!context.pairs || !lacksTypes(facts)) return;
  try {
    await context.destination.withWriting([], (client) => createMissingTypes(client, facts));
  } catch (error) {
    // Another job has created a type meanwhile. The load itself judges the types again.
    if (asIncrepError(error).code !== 'SCHEMA_CHANGED') throw error;
  }
}

const lacksTypes = ({ natives }: TableFacts): boolean =>
  natives.types.some(({ verdict }) => verdict.kind === 'missing');

/** Creates the types that a load needs, in its transaction. */
export async function createMissingTypes(client: pg.ClientBase, facts: TableFacts): Promise<void> {
  if (!lacksTypes(facts)) return;
  for (const type of await judgeAgain(client, facts)) {
    if (type.verdict.kind === 'alike') continue;
    if (type.verdict.kind !== 'missing') throw createdMeanwhile(facts, type);
    await create(client, facts, type);
  }
}

async function create(client: pg.ClientBase, facts: TableFacts, type: NativeType): Promise<void> {
  try {
    // The statement contains SQL that the source printed, so it must be exactly one statement.
    await queryOnePinnedFirst(client, creationOf(type, facts.natives));
  } catch (error) {
    throw isDuplicate(error) ? createdMeanwhile(facts, type) : error;
  }
}

const isDuplicate = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  [SQLSTATE.uniqueViolation, SQLSTATE.duplicateObject].some((code) => code === error.code);

const createdMeanwhile = ({ destinationName }: TableFacts, type: NativeType): IncrepError =>
  new IncrepError('SCHEMA_CHANGED', {
    what: `another session created the type ${printHome(type)} at the destination before the load of ${printName(destinationName)}`,
    next: 'Run increp again.',
  });
