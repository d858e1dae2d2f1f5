/** Alters a destination table that people read, with the views on columns whose type changes. */
import type pg from 'pg';
import type { Statement } from '../../sql/search-path.ts';
import { lockWholly, type Alteration } from '../../sql/reshape.ts';
import type { RunContext } from '../context/run-context.ts';
import { enterPhase } from '../context/phases.ts';
import type { TableFacts } from '../facts/facts.ts';
import { lockAlone, tryLockAlone } from '../lock/exclusive-lock.ts';
import { waitingForUsers } from '../lock/lock-holders.ts';
import { mustSurvive, refusalFrom } from './must-survive.ts';
import { rehearseAlter, type Rehearsal } from './reshape.ts';
import { dropViews, locksOver, recreateViews, viewsOver, type Rebuilding } from './rebuild-views.ts';

export interface Altering {
  readonly context: RunContext;
  readonly facts: TableFacts;
  readonly destination: pg.ClientBase;
}

/** Returns the views that were created again. `refreshViews` completes them after the merge. @throws IncrepError DEPENDENT_OBJECTS */
export async function alterInPlace(
  altering: Altering,
  statement: Statement,
  retyped: readonly string[],
): Promise<Rebuilding | undefined> {
  const { facts, destination } = altering;
  const describeViews = () => (retyped.length === 0 ? undefined : viewsOver(destination, facts, retyped));
  const seen = await describeViews();
  await lockInPlace(altering, seen ? locksOver(facts, seen.views) : undefined);
  // Described again under the locks, because a view may have changed while the rows were copied.
  const rebuilding = await describeViews();
  if (rebuilding) await dropViews(rebuilding);
  await mustSurvive(destination, facts.destinationName, 'its dependent objects', statement);
  if (rebuilding) await recreateViews(rebuilding);
  return rebuilding;
}

/**
 * Tries the change of a table that keeps its rows, and rolls it back. A change of type is left out, because it would
 * rewrite the table, but its views are created again. @throws IncrepError DEPENDENT_OBJECTS
 */
export async function rehearseInPlace(rehearsal: Rehearsal, alteration: Alteration): Promise<void> {
  const { client } = rehearsal;
  const { retyped = [] } = alteration;
  await client.query('SAVEPOINT increp_in_place');
  await rehearseAlter(rehearsal, { ...alteration, retyped: [] });
  if (retyped.length > 0)
    await rehearseViews(
      rehearsal,
      retyped.map(({ name }) => name),
    );
  await client.query('ROLLBACK TO SAVEPOINT increp_in_place; RELEASE SAVEPOINT increp_in_place');
}

/** A view of another owner is reported now. A busy table is not: it may be free after the load. */
async function rehearseViews(
  { client, facts, timing }: Rehearsal,
  retyped: readonly string[],
): Promise<void> {
  const rebuilding = await viewsOver(client, facts, retyped);
  try {
    if (!(await tryLockAlone(client, locksOver(facts, rebuilding.views), timing))) return;
  } catch (error) {
    throw refusalFrom(error, facts.destinationName, 'its dependent objects');
  }
  await dropViews(rebuilding);
  await recreateViews(rebuilding);
}

/** Locks in short attempts, so that no reader queues behind increp while increp waits for another reader. */
export async function lockInPlace(
  { context, facts, destination }: Altering,
  locks?: readonly string[],
): Promise<void> {
  const { destinationName: table } = facts;
  await enterPhase(context, facts, 'swap');
  const onWait = waitingForUsers(context, facts, destination, 'swap');
  try {
    await lockAlone(
      destination,
      { table, locks: locks ?? [lockWholly(table)], timing: context.timing, onWait },
      context.signal,
    );
  } catch (error) {
    // Locking a view fails here if the role may not alter it.
    throw refusalFrom(error, table, 'its dependent objects');
  }
}
