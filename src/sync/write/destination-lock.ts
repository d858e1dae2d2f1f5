/** Before a merge, locks the destination table against TRUNCATE, ALTER and DROP, and checks it again. */
import type pg from 'pg';
import * as z from 'zod';
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
import { queryEach } from '../../postgres/user-search-path.ts';

/** `part`: the merge brings only some of the rows, and the table must still have the other rows. */
export interface ExpectedTable {
  readonly holds: 'part' | 'whole';
}

/** @throws IncrepError SCHEMA_CHANGED, after which increp plans the table again */
export async function holdDestination(
  client: pg.ClientBase,
  facts: TableFacts,
  timing: Pick<Timing, 'lockTimeout' | 'exclusiveLock'>,
  { holds }: ExpectedTable,
): Promise<void> {
  const { destinationName, destination, settings, pipeline } = facts;
  if (!destination) return;
  const rows = ownRows(destinationName, settings, destination, pipeline);
  const questions = [
    lockForMerge(destinationName),
    shapeStamp(destinationName),
    ...usually(whichHaveRows([rows])),
  ];
  const [, stamp, ...others] =
    holds === 'part' && !isShared(settings)
      ? await askAfterWriters(client, facts, timing, questions)
      : await queryEach(client, questions);
  const filled = others[USUALLY_AT];
  if (holds === 'part' && facts.destinationHasRows && filled?.rows.length === 0)
    throw changed(facts, 'was emptied during its sync');
  if (stampRow.safeParse(stamp?.rows[0]).data?.stamp === destination.stamp) return;
  const { schema, table } = destinationName;
  const now = (await describeRelations(client, schema, [table])).get(table);
  if (!isStillFit(facts, destination, now)) throw altered(facts);
}

/**
 * Waits for writers, because a DELETE of all rows is visible only after its commit. Gives up on writers that take long.
 * Then it asks, in the same message: each statement sees what is committed when it starts.
 */
async function askAfterWriters(
  client: pg.ClientBase,
  { destinationName }: TableFacts,
  { lockTimeout: usual, exclusiveLock }: Pick<Timing, 'lockTimeout' | 'exclusiveLock'>,
  questions: readonly string[],
): Promise<pg.QueryResult[]> {
  // Releases the lock. The old lock_timeout is set again.
  const release = [
    'ROLLBACK TO SAVEPOINT increp_writers',
    'RELEASE SAVEPOINT increp_writers',
    lockTimeout(usual),
  ];
  const wait = [
    'SAVEPOINT increp_writers',
    lockTimeout(exclusiveLock.all),
    awaitWriters(destinationName),
    ...release,
  ];
  try {
    return (await queryEach(client, [...wait, ...questions])).slice(wait.length);
  } catch (error) {
    if (codeOf(error) !== SQLSTATE.lockNotAvailable) throw error;
    // Without the savepoint, the wait was over, and a question was refused.
    await client.query(release.join('; ')).catch(() => Promise.reject(error));
    return queryEach(client, questions);
  }
}

const stampRow = z.object({ stamp: z.string() });

/** Whether statements for the planned table fit the current table. Metadata columns may have been added just before. */
function isStillFit(facts: TableFacts, planned: Relation, now: Relation | undefined): boolean {
  if (!now || now.oid !== planned.oid) return false;
  const own = metadataColumnsOf(facts).map(({ name }) => name);
  const otherColumns = ({ columns }: Relation) =>
    columns.filter(({ name }) => !own.includes(name)).map((column) => JSON.stringify(column));
  const columns = otherColumns(now);
  // If pipelines share the table, another pipeline may add columns to it.
  return (
    (isShared(facts.settings) || columns.length === otherColumns(planned).length) &&
    otherColumns(planned).every((column) => columns.includes(column)) &&
    planned.hasRules === now.hasRules
  );
}

/** For errors: whether the table is the same in both descriptions. If not, the plan was outdated. */
export const isSameDestination = (before: Relation | undefined, after: Relation | undefined): boolean =>
  before?.oid === after?.oid &&
  JSON.stringify(before?.columns) === JSON.stringify(after?.columns) &&
  JSON.stringify(before?.uniqueKeys) === JSON.stringify(after?.uniqueKeys);

export const altered = (facts: TableFacts, cause?: unknown): IncrepError =>
  changed(facts, 'was altered, dropped or created again at the destination during its sync', cause);

const changed = ({ destinationName }: TableFacts, what: string, cause?: unknown): IncrepError =>
  new IncrepError('SCHEMA_CHANGED', {
    what: `${printName(destinationName)} ${what}`,
    next: 'Nothing was committed. Run increp again; it plans the table from its current shape.',
    cause,
  });
