/** A copy takes the shape of its source where it stands, in the transaction that merges its rows. */
import { describeRelations } from '../../postgres/catalog.ts';
import { queryUsually } from '../../postgres/usual-path.ts';
import { IncrepError } from '../../errors.ts';
import { printName } from '../../schema/names.ts';
import { dropTable } from '../../sql/destination.ts';
import { ident } from '../../sql/identifiers.ts';
import { mergePasses } from '../../sql/merge.ts';
import type { Statement } from '../../sql/search-path.ts';
import { alterAfter, alterBefore, CHECK_DEFERRED, lockWholly } from '../../sql/reshape.ts';
import type { TableFacts } from '../facts/facts.ts';
import { waitingForUsers } from '../lock/lock-holders.ts';
import { mergeOf } from '../write/merge-staging.ts';
import { lockAlone } from '../lock/exclusive-lock.ts';
import {
  locksOver,
  recreateViews,
  refreshViews,
  dropViews,
  viewsOver,
  type Rebuilding,
} from '../reshape/rebuild-views.ts';
import { ensureNoneLost } from '../reshape/reshape.ts';
import { mustSurvive, refusalFrom } from '../reshape/unsurvivable.ts';
import { Replan } from '../plan/replan.ts';
import { fillTable, type Evolving, type Fill } from './backfill.ts';
import { enterPhase } from '../context/phases.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

export interface Evolved {
  /** With the destination table as it is now. */
  readonly facts: TableFacts;
  /** Rows of the copy that got values; those of the window, which come whole, among them. */
  readonly filledRows: number;
  readonly rebuilding: Rebuilding | undefined;
}

/** In front of the merge. From the first ALTER on, readers wait until we commit. @throws Replan */
export async function alterCopy(evolving: Evolving, fill: Fill | undefined): Promise<Evolved> {
  const { facts, relation, evolution, destination } = evolving;
  const before = alterBefore(facts.destinationName, evolution, facts.natives);
  const rebuilding = before === undefined ? undefined : await orNotInPlace(() => alter(evolving, before));
  const altered = before === undefined ? facts : await lookAgain(evolving);
  if (before !== undefined) await orNotInPlace(() => ensureNoneLost(destination, facts, relation));
  return {
    facts: altered,
    filledRows: fill ? await fillRows({ ...evolving, facts: altered }, fill) : 0,
    rebuilding,
  };
}

/** Once the rows are merged: what they have to satisfy, and what is computed from them. */
export async function finishCopy(evolving: Evolving, { rebuilding }: Evolved): Promise<string[]> {
  const warnings = await tighten(evolving);
  if (rebuilding) await orNotInPlace(() => refreshViews(rebuilding));
  return warnings;
}

async function alter(evolving: Evolving, statement: Statement): Promise<Rebuilding | undefined> {
  const { facts, evolution, destination } = evolving;
  const retyped = evolution.retyped.map(({ name }) => name);
  const look = () => (retyped.length === 0 ? undefined : viewsOver(destination, facts, retyped));
  const seen = await look();
  await lock(evolving, seen ? locksOver(facts, seen.views) : undefined);
  // Under the locks, because somebody may have changed a view while the rows were copied.
  const rebuilding = await look();
  if (rebuilding) await dropViews(rebuilding);
  await mustSurvive(destination, facts.destinationName, 'what is built on it', statement);
  if (rebuilding) await recreateViews(rebuilding);
  return rebuilding;
}

/** In short attempts, so that no reader queues behind us while we wait for another one. */
async function lock({ context, facts, destination }: Evolving, locks?: readonly string[]): Promise<void> {
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
    // Who may not alter a view hears so here.
    throw refusalFrom(error, table, 'what is built on it');
  }
}

async function lookAgain({ facts, destination }: Evolving): Promise<TableFacts> {
  const { schema, table } = facts.destinationName;
  return { ...facts, destination: (await describeRelations(destination, schema, [table])).get(table) };
}

/** Only rows that differ are written. Left to the planner, which reads both tables once where they are large. */
async function fillRows(
  { context, facts, relation, destination }: Evolving,
  { columns }: Fill,
): Promise<number> {
  await enterPhase(context, facts, 'merge', { detail: 'old rows' });
  const { mergeKey } = facts.settings;
  const table = fillTable(facts);
  const merge = mergeOf(facts, relation);
  const passes = mergePasses({
    ...merge,
    staging: table,
    columns: [...mergeKey, ...columns.filter((name) => !mergeKey.includes(name))],
    hasSameColumns: false,
    // A row that is marked stays so: it is the merge that brings rows back.
    own: merge.own.filter(({ isMark }) => !isMark),
  });
  let rows = 0;
  for (const { update } of passes) rows += (await queryUsually(destination, update)).rowCount ?? 0;
  await destination.query(dropTable(table));
  return rows;
}

/** Rows that are gone from the source may stay in the copy, and have no value for a column that came later. */
async function tighten(evolving: Evolving): Promise<string[]> {
  const { facts, evolution, destination } = evolving;
  if (evolution.tightened.length === 0) return [];
  await orNotInPlace(() => lock(evolving));
  await destination.query(CHECK_DEFERRED);
  const lax: string[] = [];
  for (const name of evolution.tightened) {
    const after = alterAfter(facts.destinationName, { ...evolution, tightened: [name] }) ?? '';
    await destination.query('SAVEPOINT increp_tighten');
    try {
      await mustSurvive(destination, facts.destinationName, 'NOT NULL', after);
    } catch (error) {
      if (!(error instanceof IncrepError) || error.sqlstate !== SQLSTATE.notNullViolation)
        throw notInPlace(error);
      await destination.query('ROLLBACK TO SAVEPOINT increp_tighten');
      lax.push(name);
    }
    await destination.query('RELEASE SAVEPOINT increp_tighten');
  }
  return lax.map(
    (name) =>
      `column ${ident(name)} of ${printName(facts.destinationName)} may still be NULL: rows that are gone from the source have no value there`,
  );
}

async function orNotInPlace<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw notInPlace(error);
  }
}

/** What the server refuses here a reset may know a way around, or says in its own words before it reads a row. */
const notInPlace = (error: unknown): unknown =>
  error instanceof IncrepError && error.code === 'DEPENDENT_OBJECTS'
    ? new Replan(error, { notInPlace: { code: 'statement-refused', message: error.message } }, error)
    : error;
