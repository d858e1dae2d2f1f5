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
import type { TableFacts } from '../facts/facts.ts';
import { metadataColumnsOf } from './metadata-columns.ts';
import { ownRows } from '../facts/populated-tables.ts';
import type { LockTiming } from '../lock/exclusive-lock.ts';
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
  timing: LockTiming,
  { holds }: ExpectedTable,
): Promise<void> {
  const { destination, settings } = facts;
  if (!destination) return;
  const questions = questionsAbout(facts, destination);
  const answers =
    holds === 'part' && !isShared(settings)
      ? await askAfterWriters(client, facts, timing, questions)
      : await queryEach(client, questions);
  await ensureAsPlanned(client, facts, destination, holds, answers);
}

/** The statements that lock the table, for a message that holds the merge too, and the check of their answers. */
export interface HoldInMessage {
  readonly sent: readonly string[];
  /** @throws IncrepError SCHEMA_CHANGED */
  readonly ensureHeld: (client: pg.ClientBase, answers: readonly pg.QueryResult[]) => Promise<void>;
}

/** Of a table that only this pipeline writes. The merge brings only some of its rows. */
export function holdInMessage(facts: TableFacts, timing: LockTiming, destination: Relation): HoldInMessage {
  const wait = writersWait(facts, timing);
  return {
    sent: [...wait, ...questionsAbout(facts, destination)],
    ensureHeld: (client, answers) =>
      ensureAsPlanned(client, facts, destination, 'part', answers.slice(wait.length)),
  };
}

const questionsAbout = (
  { destinationName, settings, pipeline }: TableFacts,
  destination: Relation,
): string[] => [
  lockForMerge(destinationName),
  shapeStamp(destinationName),
  ...usually(whichHaveRows([ownRows(destinationName, settings, destination, pipeline)])),
];

/** Takes the answers to `questionsAbout`. */
async function ensureAsPlanned(
  client: pg.ClientBase,
  facts: TableFacts,
  destination: Relation,
  holds: ExpectedTable['holds'],
  [, stamp, ...others]: readonly pg.QueryResult[],
): Promise<void> {
  const filled = others[USUALLY_AT];
  if (holds === 'part' && facts.destinationHasRows && filled?.rows.length === 0)
    throw changed(facts, 'was emptied during its sync');
  if (stampRow.safeParse(stamp?.rows[0]).data?.stamp === destination.stamp) return;
  const { schema, table } = facts.destinationName;
  const now = (await describeRelations(client, schema, [table])).get(table);
  if (!isStillFit(facts, destination, now)) throw altered(facts);
}

/**
 * Waits for writers, because a DELETE of all rows is visible only after its commit. Gives up on writers that take long.
 * Then it asks, in the same message: each statement sees what is committed when it starts.
 */
async function askAfterWriters(
  client: pg.ClientBase,
  facts: TableFacts,
  timing: LockTiming,
  questions: readonly string[],
): Promise<pg.QueryResult[]> {
  const wait = writersWait(facts, timing);
  try {
    return (await queryEach(client, [...wait, ...questions])).slice(wait.length);
  } catch (error) {
    if (codeOf(error) !== SQLSTATE.lockNotAvailable) throw error;
    // Without the savepoint, the wait was over, and a question was refused.
    await client.query(writersRelease(timing).join('; ')).catch(() => Promise.reject(error));
    return queryEach(client, questions);
  }
}

const writersWait = ({ destinationName }: TableFacts, timing: LockTiming): string[] => [
  'SAVEPOINT increp_writers',
  lockTimeout(timing.exclusiveLock.all),
  awaitWriters(destinationName),
  ...writersRelease(timing),
];

/** Releases the lock. The old lock_timeout is set again. */
const writersRelease = ({ lockTimeout: usual }: LockTiming): string[] => [
  'ROLLBACK TO SAVEPOINT increp_writers',
  'RELEASE SAVEPOINT increp_writers',
  lockTimeout(usual),
];

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
