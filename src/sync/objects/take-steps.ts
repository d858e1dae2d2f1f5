/**
 * Creates and drops copied objects, each on its own. They come after the commit of the rows, so that an object that fails
 * costs no row: the table is reported, and a later run tries again.
 */
import type pg from 'pg';
import * as z from 'zod';
import { asIncrepError, type IncrepError } from '../../errors.ts';
import type { ObjectChange } from '../../reasons.ts';
import { queryOnePinnedFirst } from '../../postgres/user-search-path.ts';
import { tableKey } from '../../schema/names.ts';
import type { RefusedObject } from '../../state/refused-objects-file.ts';
import { dropIndex, renameIndex } from '../../sql/destination.ts';
import { lockWholly } from '../../sql/reshape.ts';
import {
  commentOnIndex,
  createIndex,
  dropIndexConcurrently,
  NAMES_IN_SCHEMA,
} from '../../sql/table-objects.ts';
import { enterPhase } from '../context/phases.ts';
import type { RunContext } from '../context/run-context.ts';
import { lockAlone } from '../lock/exclusive-lock.ts';
import type { ObjectStep } from './compare-objects.ts';
import type { CopiedTable } from './copied-table.ts';
import { copyMark } from './mark.ts';
import { namesFor, unfinishedName } from './object-names.ts';

type StepContext = Pick<RunContext, 'settings' | 'destination' | 'timing' | 'emit' | 'signal' | 'timeLimit'>;

type StepOf<Kind extends ObjectStep['kind']> = Extract<ObjectStep, { readonly kind: Kind }>;

export interface StepResults {
  readonly changes: readonly ObjectChange[];
  /** Objects that the rows refused in this run. */
  readonly refused: readonly RefusedObject[];
}

/** `held`: refused a short time ago, so they are not tried again. @throws only if the run is stopped */
export async function takeSteps(
  context: StepContext,
  table: CopiedTable,
  held: readonly RefusedObject[],
): Promise<StepResults> {
  const changes: ObjectChange[] = [];
  const refused: RefusedObject[] = [];
  for (const step of table.steps) {
    const named = { kind: 'index', name: nameIn(step) } as const;
    const holder = step.kind === 'create-index' && held.find(({ hash }) => hash === step.wanted.hash);
    if (holder) {
      const statement = statementOf(table, step);
      changes.push({ ...named, change: 'refused', message: holder.message, statement, isHeld: true });
      continue;
    }
    if (context.timeLimit.isOver) {
      changes.push({ ...named, change: 'deferred' });
      continue;
    }
    try {
      await enterPhase(context, table, 'index', { detail: named.name });
      changes.push(...(await take(context, table, step)));
    } catch (thrown) {
      context.signal?.throwIfAborted();
      const error = asIncrepError(thrown);
      if (error.code === 'INTERNAL') throw thrown;
      const { message } = error;
      const statement = statementOf(table, step);
      changes.push({ ...named, change: 'refused', message, statement, isHeld: false });
      if (step.kind === 'create-index') {
        await removeUnfinished(context, table, step);
        if (isAboutRows(error))
          refused.push({
            table: tableKey(table.destinationName),
            hash: step.wanted.hash,
            message,
            at: new Date().toISOString(),
          });
      }
    }
  }
  return { changes, refused };
}

/** Such an attempt reads the whole table. Other refusals come at once. */
const isAboutRows = ({ sqlstate = '' }: IncrepError): boolean => /^(22|23|54|57014)/.test(sqlstate);

const nameIn = (step: ObjectStep): string =>
  step.kind === 'drop-index' ? step.index.name : step.wanted.name;

/** For messages: what a user would run. */
function statementOf({ destinationName: table }: CopiedTable, step: ObjectStep): string {
  return step.kind === 'drop-index'
    ? dropIndexConcurrently(table.schema, step.index.name)
    : createIndex(table, step.wanted, { isConcurrent: true });
}

const take = (context: StepContext, table: CopiedTable, step: ObjectStep): Promise<ObjectChange[]> =>
  step.kind === 'drop-index' ? dropCopy(context, table, step) : createCopy(context, table, step);

const isPartitioned = ({ there }: CopiedTable): boolean => there.kind === 'p';

/** What an unfinished index was meant for is in the other steps. */
async function dropCopy(
  context: StepContext,
  table: CopiedTable,
  { index, isUnfinished }: StepOf<'drop-index'>,
): Promise<ObjectChange[]> {
  const { schema } = table.destinationName;
  if (isPartitioned(table))
    await alone(context, table, async (client) => void (await client.query(dropIndex(schema, index.name))));
  else
    await context.destination.runAlone(dropIndexConcurrently(schema, index.name), {
      lockSeconds: context.timing.lockTimeout,
    });
  return isUnfinished ? [] : [{ kind: 'index', name: index.name, change: 'dropped' }];
}

/** The index gets its name and its mark together, when it is complete. Readers use the older index until then. */
async function createCopy(
  context: StepContext,
  table: CopiedTable,
  { wanted, unfinished, replaces }: StepOf<'create-index'>,
): Promise<ObjectChange[]> {
  const { destinationName } = table;
  const { schema } = destinationName;
  const name = unfinishedName(destinationName.table, wanted.hash);
  if (!unfinished && !isPartitioned(table))
    await context.destination.runAlone(
      createIndex(destinationName, { ...wanted, name }, { isConcurrent: true }),
      { lockSeconds: context.timing.indexWait },
    );
  await context.destination.withWriting([], async (client) => {
    if (isPartitioned(table))
      await queryOnePinnedFirst(
        client,
        createIndex(destinationName, { ...wanted, name }, { isConcurrent: false }),
      );
    if (replaces) {
      await lockTable(context, table, client);
      await client.query(dropIndex(schema, replaces.name));
    }
    const free = await freeName(client, schema, wanted.name);
    await client.query(renameIndex(schema, name, free));
    const mark = copyMark({ ...wanted, pipeline: context.settings.pipeline });
    await client.query(commentOnIndex(schema, free, mark));
  });
  return [{ kind: 'index', name: wanted.name, change: replaces ? 'replaced' : 'created' }];
}

const lockTable = (
  { timing, signal }: StepContext,
  { destinationName: table }: CopiedTable,
  client: pg.ClientBase,
): Promise<void> => lockAlone(client, { table, locks: [lockWholly(table)], timing }, signal);

const alone = (
  context: StepContext,
  table: CopiedTable,
  work: (client: pg.ClientBase) => Promise<void>,
): Promise<void> =>
  context.destination.withWriting([], async (client) => {
    await lockTable(context, table, client);
    await work(client);
  });

/** An index that was not completed has no use, and each write to the table would maintain it. */
async function removeUnfinished(
  context: StepContext,
  { destinationName: { schema, table } }: CopiedTable,
  { wanted, unfinished }: StepOf<'create-index'>,
): Promise<void> {
  if (unfinished) return;
  try {
    const name = unfinishedName(table, wanted.hash);
    await context.destination.runAlone(dropIndexConcurrently(schema, name), {
      lockSeconds: context.timing.lockTimeout,
    });
  } catch {
    // The next run finds it by its name.
    context.signal?.throwIfAborted();
  }
}

async function freeName(client: pg.ClientBase, schema: string, name: string): Promise<string> {
  const names = namesFor(name);
  const { rows } = await client.query(NAMES_IN_SCHEMA, [schema, names]);
  const taken = z.array(z.object({ name: z.string() })).parse(rows);
  return names.find((each) => !taken.some((other) => other.name === each)) ?? name;
}
