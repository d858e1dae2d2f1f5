/** The destination table when rows are about to be merged: locked against TRUNCATE, ALTER and DROP, and looked at again. */
import type pg from 'pg';
import { z } from 'zod';
import { IncrepError } from '../../errors.ts';
import { describeRelations } from '../../postgres/catalog.ts';
import { codeOf } from '../../postgres/identity.ts';
import { printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { isShared } from '../../schema/row-identity.ts';
import { usually, USUALLY_AT } from '../../sql/search-path.ts';
import { shapeStamp } from '../../sql/catalog.ts';
import { awaitWriters, lockForMerge } from '../../sql/destination.ts';
import { lockTimeout } from '../../sql/reshape.ts';
import { whichHaveRows } from '../../sql/window.ts';
import type { Timing } from '../../timing.ts';
import type { TableFacts } from '../facts/facts.ts';
import { metadataColumnsOf } from './metadata-columns.ts';
import { ownRows } from '../facts/populated-tables.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';
import { queryEach } from '../../postgres/usual-path.ts';

/** `part`: the rows that are about to come in belong to a table that has the others already. */
export interface ExpectedTable {
  readonly holds: 'part' | 'whole';
}

/** @throws IncrepError SCHEMA_CHANGED, which plans the table anew */
export async function holdCopy(
  client: pg.ClientBase,
  facts: TableFacts,
  timing: Pick<Timing, 'lockTimeout' | 'exclusiveLock'>,
  { holds }: ExpectedTable,
): Promise<void> {
  const { destinationName, destination, settings, pipeline } = facts;
  if (!destination) return;
  if (holds === 'part' && !isShared(settings)) await letWritersEnd(client, facts, timing);
  const rows = ownRows(destinationName, settings, destination, pipeline);
  const [, stamp, ...others] = await queryEach(client, [
    lockForMerge(destinationName),
    shapeStamp(destinationName),
    ...usually(whichHaveRows([rows])),
  ]);
  const filled = others[USUALLY_AT];
  if (holds === 'part' && facts.destinationHasRows && filled?.rows.length === 0)
    throw moved(facts, 'was emptied while it was synced');
  if (stampRow.safeParse(stamp?.rows[0]).data?.stamp === destination.stamp) return;
  const { schema, table } = destinationName;
  const now = (await describeRelations(client, schema, [table])).get(table);
  if (!isStillFit(facts, destination, now)) throw altered(facts);
}

/** A DELETE of all rows that is not committed yet shows only after its commit. Who writes for long is not waited for. */
async function letWritersEnd(
  client: pg.ClientBase,
  { destinationName }: TableFacts,
  { lockTimeout: usual, exclusiveLock }: Pick<Timing, 'lockTimeout' | 'exclusiveLock'>,
): Promise<void> {
  await client.query('SAVEPOINT increp_writers');
  try {
    await client.query(`${lockTimeout(exclusiveLock.all)}; ${awaitWriters(destinationName)}`);
  } catch (error) {
    if (codeOf(error) !== SQLSTATE.lockNotAvailable) throw error;
  }
  // Ends the lock, and with it the other setting.
  await client.query(
    `ROLLBACK TO SAVEPOINT increp_writers; RELEASE SAVEPOINT increp_writers; ${lockTimeout(usual)}`,
  );
}

const stampRow = z.object({ stamp: z.string() });

/** Whether statements that were made for the one serve the other. Columns of ours may have been added just now. */
function isStillFit(facts: TableFacts, planned: Relation, now: Relation | undefined): boolean {
  if (!now || now.oid !== planned.oid) return false;
  const own = metadataColumnsOf(facts).map(({ name }) => name);
  const theirs = ({ columns }: Relation) =>
    columns.filter(({ name }) => !own.includes(name)).map((column) => JSON.stringify(column));
  const columns = theirs(now);
  // Another pipeline may add columns to a table that both fill.
  return (
    (isShared(facts.settings) || columns.length === theirs(planned).length) &&
    theirs(planned).every((column) => columns.includes(column)) &&
    planned.hasRules === now.hasRules
  );
}

/** For errors: whether somebody has changed the table between two looks at it, so that the first plan means nothing. */
export const isSameCopy = (before: Relation | undefined, after: Relation | undefined): boolean =>
  before?.oid === after?.oid &&
  JSON.stringify(before?.columns) === JSON.stringify(after?.columns) &&
  JSON.stringify(before?.uniqueKeys) === JSON.stringify(after?.uniqueKeys);

export const altered = (facts: TableFacts, cause?: unknown): IncrepError =>
  moved(facts, 'was altered, dropped or made anew at the destination while it was synced', cause);

const moved = ({ destinationName }: TableFacts, what: string, cause?: unknown): IncrepError =>
  new IncrepError('SCHEMA_CHANGED', {
    what: `${printName(destinationName)} ${what}`,
    next: 'Run increp again: nothing was committed, and the next run plans the table anew.',
    cause,
  });
