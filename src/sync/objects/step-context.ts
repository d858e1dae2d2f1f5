/** What the steps of a table share. */
import type pg from 'pg';
import type { TableName } from '../../schema/names.ts';
import { lockWholly } from '../../sql/reshape.ts';
import type { RunContext } from '../context/run-context.ts';
import { lockAlone } from '../lock/exclusive-lock.ts';
import type { ObjectStep } from './compare-objects.ts';

export type StepContext = Pick<
  RunContext,
  'settings' | 'destination' | 'timing' | 'emit' | 'signal' | 'timeLimit'
>;

export type StepOf<Kind extends ObjectStep['kind']> = Extract<ObjectStep, { readonly kind: Kind }>;

/** Readers queue behind it only briefly. */
export const lockTables = (
  { timing, signal }: Pick<StepContext, 'timing' | 'signal'>,
  client: pg.ClientBase,
  [table, ...others]: readonly [TableName, ...TableName[]],
  lockOf: (table: TableName) => string = lockWholly,
): Promise<void> => lockAlone(client, { table, locks: [table, ...others].map(lockOf), timing }, signal);

/** In a transaction with an exclusive lock on the table. */
export const alone = (
  context: StepContext,
  table: TableName,
  work: (client: pg.ClientBase) => Promise<unknown>,
): Promise<void> =>
  context.destination.withWriting([], async (client) => {
    await lockTables(context, client, [table]);
    await work(client);
  });
