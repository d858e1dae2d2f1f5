/** `on_schema_change: "evolve"`: alters the destination table in place, in the transaction that merges the rows. */
import { queryUsually } from '../../postgres/user-search-path.ts';
import { IncrepError } from '../../errors.ts';
import { printName } from '../../schema/names.ts';
import { dropTable } from '../../sql/destination.ts';
import { ident } from '../../sql/identifiers.ts';
import { mergePasses } from '../../sql/merge.ts';
import { alterAfter, alterBefore, CHECK_DEFERRED } from '../../sql/reshape.ts';
import type { TableFacts } from '../facts/facts.ts';
import { describedAgain } from '../write/merge-key-index.ts';
import { mergeOf } from '../write/merge-staging.ts';
import { refreshViews, type Rebuilding } from '../reshape/rebuild-views.ts';
import { alterInPlace, lockInPlace } from '../reshape/alter-in-place.ts';
import { ensureNoneLost } from '../reshape/reshape.ts';
import { mustSurvive } from '../reshape/must-survive.ts';
import { Replan } from '../plan/replan.ts';
import { fillTable, type Evolving, type Fill } from './backfill.ts';
import { enterPhase } from '../context/phases.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

export interface Evolved {
  /** With the destination table as it is now. */
  readonly facts: TableFacts;
  /** Rows of the destination table that got values, including rows that the window brings as a whole. */
  readonly filledRows: number;
  readonly rebuilding: Rebuilding | undefined;
}

/** Runs before the merge. From the first ALTER on, readers of the table wait for the commit. @throws Replan */
export async function alterDestination(evolving: Evolving, fill: Fill | undefined): Promise<Evolved> {
  const { facts, relation, evolution, destination } = evolving;
  const before = alterBefore(facts.destinationName, evolution, facts.natives);
  const retyped = evolution.retyped.map(({ name }) => name);
  const rebuilding =
    before === undefined ? undefined : await orNotInPlace(() => alterInPlace(evolving, before, retyped));
  const altered = before === undefined ? facts : await describedAgain(destination, facts);
  if (before !== undefined) await orNotInPlace(() => ensureNoneLost(destination, facts, relation));
  return {
    facts: altered,
    filledRows: fill ? await fillRows({ ...evolving, facts: altered }, fill) : 0,
    rebuilding,
  };
}

/** Runs after the merge: sets NOT NULL, which the merged rows must satisfy, and refreshes materialized views. */
export async function finishEvolution(evolving: Evolving, { rebuilding }: Evolved): Promise<string[]> {
  const warnings = await tighten(evolving);
  if (rebuilding) await orNotInPlace(() => refreshViews(rebuilding));
  return warnings;
}

/** Writes only rows that differ. The planner chooses the plan: it reads both tables once if they are large. */
async function fillRows(
  { context, facts, relation, destination }: Evolving,
  { columns }: Fill,
): Promise<number> {
  await enterPhase(context, facts, 'merge', { detail: 'backfill' });
  const { mergeKey } = facts.settings;
  const table = fillTable(facts);
  const merge = mergeOf(facts, relation);
  const passes = mergePasses({
    ...merge,
    staging: table,
    columns: [...mergeKey, ...columns.filter((name) => !mergeKey.includes(name))],
    hasSameColumns: false,
    // A row that is marked as deleted stays marked. The merge removes the mark if the source has the row again.
    metadataColumns: merge.metadataColumns.filter(({ isMark }) => !isMark),
    // The rows are those that increp brought before, with more columns.
    versions: undefined,
  });
  let rows = 0;
  for (const { update } of passes) rows += (await queryUsually(destination, update)).rowCount ?? 0;
  await destination.query(dropTable(table));
  return rows;
}

/** Rows that are gone from the source may stay in the destination table. They have no value for a column that was added later. */
async function tighten(evolving: Evolving): Promise<string[]> {
  const { facts, evolution, destination } = evolving;
  if (evolution.tightened.length === 0) return [];
  await orNotInPlace(() => lockInPlace(evolving));
  await destination.query(CHECK_DEFERRED);
  const nullable: string[] = [];
  for (const name of evolution.tightened) {
    const after = alterAfter(facts.destinationName, { ...evolution, tightened: [name] }) ?? '';
    await destination.query('SAVEPOINT increp_tighten');
    try {
      await mustSurvive(destination, facts.destinationName, 'NOT NULL', after);
    } catch (error) {
      if (!(error instanceof IncrepError) || error.sqlstate !== SQLSTATE.notNullViolation)
        throw notInPlace(error);
      await destination.query('ROLLBACK TO SAVEPOINT increp_tighten');
      nullable.push(name);
    }
    await destination.query('RELEASE SAVEPOINT increp_tighten');
  }
  return nullable.map(
    (name) =>
      `column ${ident(name)} of ${printName(facts.destinationName)} stays nullable, because rows that are gone from the source have no value in it`,
  );
}

async function orNotInPlace<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw notInPlace(error);
  }
}

/** If the server refuses the change in place, the table is planned as a reset. A reset may succeed, or fails before it reads a row. */
const notInPlace = (error: unknown): unknown =>
  error instanceof IncrepError && error.code === 'DEPENDENT_OBJECTS'
    ? new Replan(error, { notInPlace: { code: 'statement-refused', message: error.message } }, error)
    : error;
