/** Decides how a table gets a new shape and keeps its dependent objects. The decision comes from a rehearsal on empty tables. */
import type pg from 'pg';
import { IncrepError } from '../../errors.ts';
import { readDependentDefinitions } from '../../postgres/dependent-object-definitions.ts';
import { printName } from '../../schema/names.ts';
import { uniqueIndexOn, type Relation } from '../../schema/relations.ts';
import type { DependentDefinitions } from '../../sql/dependent-object-definitions.ts';
import { alterBefore, COLUMN_NAMES, lockWholly, type Alteration } from '../../sql/reshape.ts';
import type { TableFacts } from '../facts/facts.ts';
import { formerKey } from '../plan/reload-guard.ts';
import { completeMetadataColumns, prepareMarks } from '../write/metadata-columns.ts';
import { makeStaging } from '../write/staging.ts';
import { alterationFor, foreignColumns } from '../plan/alteration.ts';
import { exchange, locksFor, type Exchange } from './exchange.ts';
import { tryLockAlone, type LockTiming } from '../lock/exclusive-lock.ts';
import { completeStaging, describeNewTable } from './new-table.ts';
import { mustSurvive, refusalFrom, SAVE_COLUMNS, unsurvivable } from './must-survive.ts';

export type Reshape =
  /** The staging table takes the place of the table. Readers wait only for a moment. */
  | { readonly way: 'exchange'; readonly exchange: Omit<Exchange, 'isRehearsal'> }
  /** The table is altered and the staging table is merged into it. All dependent objects stay; readers wait for the merge. */
  | { readonly way: 'alter'; readonly alteration: Alteration };

/** Runs before any row is read from the source. @throws IncrepError DEPENDENT_OBJECTS */
export async function chooseReshape(
  client: pg.ClientBase,
  facts: TableFacts,
  source: Relation,
  timing: LockTiming,
): Promise<Reshape> {
  const dependents = await dependentsOf(client, facts);
  const ways = possibleWays(dependents, alterationFor(facts, source), {
    ...describeNewTable(client, facts, source, dependents, foreignColumns(facts, source)),
    dependents,
  });
  let refusal: IncrepError | undefined;
  for (const way of ways) {
    const problem = await rehearse({ client, facts, source, timing }, way);
    if (!problem) return way;
    // If both ways fail, the error of ALTER TABLE names the objects that must be dropped.
    if (!refusal || way.way === 'alter') refusal = problem;
  }
  throw refusal ?? new Error('there is no way to reshape a table');
}

export async function dependentsOf(
  client: pg.ClientBase,
  { destination, saved, settings }: TableFacts,
): Promise<DependentDefinitions> {
  if (!destination) throw new Error('there is no table to reshape');
  const key = saved.kind === 'record' ? formerKey(saved.record) : settings.mergeKey;
  const ownIndex = uniqueIndexOn(destination, key)?.index ?? '';
  return withoutLocks(client, () => readDependentDefinitions(client, destination.oid, ownIndex));
}

/** Rolls back to release the locks: reading the definition of a view locks it against ALTER until the end of the transaction. */
async function withoutLocks<T>(client: pg.ClientBase, read: () => Promise<T>): Promise<T> {
  await client.query('SAVEPOINT increp_look');
  const seen = await read();
  await client.query('ROLLBACK TO SAVEPOINT increp_look; RELEASE SAVEPOINT increp_look');
  return seen;
}

/**
 * Describes the dependent objects again under the locks, because they may have changed during a load of hours.
 * @throws IncrepError SCHEMA_CHANGED if the new table was prepared without the change
 */
export async function seenAgain(work: Exchange): Promise<Exchange> {
  const { client, facts, dependents } = work;
  const now = await dependentsOf(client, facts);
  const { rows } = await client.query<{ name: string }>(COLUMN_NAMES, [dependents.table.oid]);
  const columns = (facts.destination?.columns ?? []).map(({ name }) => name);
  if (
    madeWith(dependents, columns) !==
    madeWith(
      now,
      rows.map(({ name }) => name),
    )
  )
    throw new IncrepError('SCHEMA_CHANGED', {
      what: `columns or dependent objects of ${printName(facts.destinationName)} changed during its load`,
      next: 'Run increp again after the change is complete.',
    });
  return { ...work, dependents: now };
}

/** Everything that is prepared on the new table before the exchange, as a text for comparisons. */
const madeWith = (
  { indexes, defaults, obstacles, items }: DependentDefinitions,
  columns: readonly string[],
): string =>
  JSON.stringify([
    columns.toSorted(),
    indexes,
    defaults,
    obstacles,
    items.filter(({ stage }) => stage === 'staging'),
  ]);

/** The way with the shortest wait for readers comes first. Pure. */
function possibleWays(
  { views, items, obstacles }: DependentDefinitions,
  alteration: Alteration | undefined,
  work: Omit<Exchange, 'isRehearsal'>,
): Reshape[] {
  const exchanged = { way: 'exchange', exchange: work } as const;
  if (!alteration) return [exchanged];
  const altered = { way: 'alter', alteration } as const;
  // In an exchange, readers would wait until materialized views are refreshed and foreign keys are checked.
  const isCostly =
    views.some(({ kind }) => kind === 'materialized view') || items.some(({ other }) => other !== null);
  return isCostly || obstacles.length > 0 ? [altered, exchanged] : [exchanged, altered];
}

export interface Rehearsal {
  readonly client: pg.ClientBase;
  readonly facts: TableFacts;
  readonly source: Relation;
  readonly timing: LockTiming;
}

/** Does all the work on an empty table and rolls it back. Returns undefined if the way is possible. */
async function rehearse(rehearsal: Rehearsal, way: Reshape): Promise<IncrepError | undefined> {
  const { client, timing } = rehearsal;
  await client.query('SAVEPOINT increp_rehearsal');
  let refusal: IncrepError | undefined;
  try {
    await (way.way === 'exchange'
      ? rehearseExchange({ ...way.exchange, isRehearsal: true }, timing)
      : rehearseAlter(rehearsal, way.alteration));
  } catch (error) {
    if (!(error instanceof IncrepError) || error.code !== 'DEPENDENT_OBJECTS') throw error;
    refusal = error;
  }
  await client.query('ROLLBACK TO SAVEPOINT increp_rehearsal; RELEASE SAVEPOINT increp_rehearsal');
  return refusal;
}

async function rehearseExchange(work: Exchange, timing: LockTiming): Promise<void> {
  const { client, facts, source, dependents } = work;
  const [obstacle] = dependents.obstacles;
  if (obstacle !== undefined) throw unsurvivable(facts.destinationName, obstacle);
  await makeStaging(client, facts, source.columns, true);
  await prepareMarks(client, facts);
  await completeMetadataColumns(client, facts);
  await completeStaging(work);
  if (await tryToLock(work, timing)) await exchange(work);
}

/** A missing privilege on a view is an error now. A busy table is not: it may be free after the load. */
async function tryToLock(work: Exchange, timing: LockTiming): Promise<boolean> {
  try {
    return await tryLockAlone(work.client, locksFor(work), timing);
  } catch (error) {
    throw refusalFrom(error, work.facts.destinationName, 'its dependent objects');
  }
}

export async function rehearseAlter(
  { client, facts, source, timing }: Rehearsal,
  alteration: Alteration,
): Promise<void> {
  const { destinationName } = facts;
  const before = alterBefore(destinationName, alteration, facts.natives);
  if (before === undefined || !(await tryLockAlone(client, [lockWholly(destinationName)], timing))) return;
  await mustSurvive(client, destinationName, 'its dependent objects', before);
  await ensureNoneLost(client, facts, source);
}

/** PostgreSQL 14 silently drops columns that are generated from a dropped column. @throws IncrepError DEPENDENT_OBJECTS */
export async function ensureNoneLost(
  client: pg.ClientBase,
  facts: TableFacts,
  source: Relation,
): Promise<void> {
  const { destination, destinationName } = facts;
  const { rows } = await client.query<{ name: string }>(COLUMN_NAMES, [destination?.oid]);
  const lost = foreignColumns(facts, source).find((column) => !rows.some(({ name }) => name === column.name));
  if (lost)
    throw unsurvivable(
      destinationName,
      `column "${lost.name}", which is generated from a dropped column`,
      SAVE_COLUMNS,
    );
}
