/** Creates and drops indexes, and the constraints that they stand for. */
import type pg from 'pg';
import * as z from 'zod';
import { queryOnePinnedFirst } from '../../postgres/user-search-path.ts';
import type { TableName } from '../../schema/names.ts';
import type { FoundIndex } from '../../schema/table-objects.ts';
import { dropConstraint, dropIndex, renameIndex } from '../../sql/destination.ts';
import {
  addKey,
  commentOnIndex,
  createIndex,
  dropIndexConcurrently,
  NAMES_IN_SCHEMA,
} from '../../sql/table-objects.ts';
import type { CopiedTable } from './copied-table.ts';
import { copyMark } from './mark.ts';
import { namesFor, unfinishedName } from './object-names.ts';
import { alone, lockTables, type StepContext, type StepOf } from './step-context.ts';

const isPartitioned = ({ there }: CopiedTable): boolean => there.kind === 'p';

/** Under an exclusive lock on the table. */
export const dropWithConstraint = (
  client: pg.ClientBase,
  table: TableName,
  { name, constraint }: FoundIndex,
): Promise<unknown> =>
  client.query(constraint ? dropConstraint(table, constraint.name) : dropIndex(table.schema, name));

export async function dropCopy(
  context: StepContext,
  table: CopiedTable,
  { index }: StepOf<'drop-index'>,
): Promise<void> {
  const { destinationName } = table;
  if (index.constraint || isPartitioned(table))
    await alone(context, destinationName, (client) => dropWithConstraint(client, destinationName, index));
  else
    await context.destination.runAlone(dropIndexConcurrently(destinationName.schema, index.name), {
      lockSeconds: context.timing.lockTimeout,
    });
}

/** The index gets its name and its mark together, when it is complete. Readers use the older index until then. */
export async function createCopy(
  context: StepContext,
  table: CopiedTable,
  { wanted, unfinished, replaces }: StepOf<'create-index'>,
): Promise<void> {
  const { destinationName } = table;
  const { schema } = destinationName;
  const name = unfinishedName(destinationName.table, wanted.hash);
  const statement = (isConcurrent: boolean) =>
    createIndex(destinationName, { ...wanted, name }, { isConcurrent });
  if (!unfinished && !isPartitioned(table))
    await context.destination.runAlone(statement(true), { lockSeconds: context.timing.indexWait });
  await context.destination.withWriting([], async (client) => {
    if (isPartitioned(table)) await queryOnePinnedFirst(client, statement(false));
    const isConstraint = wanted.kind !== 'index';
    if (replaces || isConstraint) await lockTables(context, client, [destinationName]);
    if (replaces) await dropWithConstraint(client, destinationName, replaces);
    const free = await freeName(client, schema, wanted.name);
    await client.query(renameIndex(schema, name, free));
    const mark = copyMark({ ...wanted, pipeline: context.settings.pipeline });
    await client.query(commentOnIndex(schema, free, mark));
    if (isConstraint) await client.query(addKey(destinationName, free, wanted));
  });
}

/** An index that was not completed has no use, and each write to the table would maintain it. */
export async function removeUnfinished(
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
