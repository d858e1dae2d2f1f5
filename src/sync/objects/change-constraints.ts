/** Adds, validates and drops check constraints, foreign keys and defaults. */
import * as z from 'zod';
import { queryOnePinnedFirst, queryUsually } from '../../postgres/user-search-path.ts';
import { lockWholly } from '../../sql/reshape.ts';
import {
  addConstraint,
  commentOnConstraint,
  DEFAULT_OF,
  dropDefault,
  lockForKey,
  removeConstraint,
  setDefault,
  validateConstraint,
} from '../../sql/table-objects.ts';
import type { CopiedTable } from './copied-table.ts';
import { copyMark } from './mark.ts';
import { namesFor } from './object-names.ts';
import { alone, lockTables, type StepContext, type StepOf } from './step-context.ts';

/**
 * NOT VALID, so that rows are not read under the lock. A partitioned table takes no such foreign key. Returns the name at the
 * destination.
 */
export async function addCopy(
  context: StepContext,
  { destinationName: table, there }: CopiedTable,
  { wanted, replaces }: StepOf<'add-constraint'>,
): Promise<string> {
  const isForeignKey = wanted.kind === 'foreign key';
  const taken = [
    ...there.checks,
    ...there.foreignKeys,
    ...there.indexes.flatMap(({ constraint }) => constraint ?? []),
  ]
    .map(({ name }) => name)
    .filter((name) => name !== replaces);
  const name = namesFor(wanted.name).find((each) => !taken.includes(each)) ?? wanted.name;
  const isChecked = isForeignKey && there.kind === 'p';
  await context.destination.withWriting([], async (client) => {
    await lockTables(
      context,
      client,
      [table, ...(wanted.parent ? [wanted.parent] : [])],
      isForeignKey ? lockForKey : lockWholly,
    );
    if (replaces !== undefined) await queryUsually(client, removeConstraint(table, replaces));
    await queryOnePinnedFirst(client, addConstraint(table, name, wanted.definition, { isChecked }));
    const mark = copyMark({ ...wanted, pipeline: context.settings.pipeline });
    await client.query(commentOnConstraint(table, name, mark));
  });
  return name;
}

/** Other sessions can read and write meanwhile. */
export const validateCopy = (
  { destination }: StepContext,
  { destinationName }: CopiedTable,
  name: string,
): Promise<unknown> =>
  destination.withWriting([], (client) => queryUsually(client, validateConstraint(destinationName, name)));

export const dropConstraintCopy = (
  context: StepContext,
  { destinationName: table }: CopiedTable,
  { name }: StepOf<'drop-constraint'>,
): Promise<void> => alone(context, table, (client) => queryUsually(client, removeConstraint(table, name)));

/** Returns the default as the destination prints it. */
export async function setDefaultCopy(
  context: StepContext,
  { destinationName: table }: CopiedTable,
  { wanted }: StepOf<'set-default'>,
): Promise<string> {
  let printed = wanted.expression;
  await alone(context, table, async (client) => {
    await queryOnePinnedFirst(client, setDefault(table, wanted.name, wanted.expression));
    const { rows } = await client.query(DEFAULT_OF, [table.schema, table.table, wanted.name]);
    printed = z.object({ expression: z.string() }).parse(rows[0]).expression;
  });
  return printed;
}

export const dropDefaultCopy = (
  context: StepContext,
  { destinationName: table }: CopiedTable,
  { column }: StepOf<'drop-default'>,
): Promise<void> => alone(context, table, (client) => queryUsually(client, dropDefault(table, column)));
