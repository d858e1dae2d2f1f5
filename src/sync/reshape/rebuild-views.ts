/**
 * Views that read columns whose type changes. Postgres refuses to alter such a column while a view reads it. So the views are
 * dropped and created again with their dependent objects, in the transaction that alters the table.
 */
import {
  VIEWS_ON_COLUMNS,
  createBuilt,
  dropBuilt,
  lockView,
  lockWholly,
  refresh,
} from '../../sql/reshape.ts';
import type { BuiltRelation, DependentDefinitions } from '../../sql/dependent-object-definitions.ts';
import { describeRelation, dress, itemsOf, make, must, type Recreation } from './exchange.ts';
import { dependentsOf } from './reshape.ts';
import type { TableFacts } from '../facts/facts.ts';
import type pg from 'pg';

export interface Rebuilding extends Recreation {
  /** Ordered by dependency: the views that read the table come first. */
  readonly views: readonly BuiltRelation[];
}

/** The views that read one of these columns, directly or through each other. */
export async function viewsOver(
  client: pg.ClientBase,
  facts: TableFacts,
  columns: readonly string[],
): Promise<Rebuilding> {
  const dependents = await dependentsOf(client, facts);
  const { rows } = await client.query<{ oid: string }>(VIEWS_ON_COLUMNS, [dependents.table.oid, columns]);
  const views = affectedBy(
    dependents,
    rows.map(({ oid }) => oid),
  );
  const names = (facts.destination?.columns ?? []).map(({ name }) => name);
  return { client, facts, dependents, columns: names, isRehearsal: false, views };
}

function affectedBy({ views }: DependentDefinitions, direct: readonly string[]): BuiltRelation[] {
  const affected = new Set(direct);
  return views.filter(({ oid, dependsOn }) => {
    if (dependsOn.some((other) => affected.has(other))) affected.add(oid);
    return affected.has(oid);
  });
}

/** Views come before the relations that they read, in the order in which a reader locks them. */
export const locksOver = (facts: TableFacts, views: readonly BuiltRelation[]): string[] => [
  ...views.toReversed().map(lockView),
  lockWholly(facts.destinationName),
];

/** Without CASCADE, so that unknown dependent objects make the DROP fail. @throws IncrepError DEPENDENT_OBJECTS */
export async function dropViews(work: Rebuilding): Promise<void> {
  for (const view of work.views.toReversed())
    await must(work, `dependent objects of ${describeRelation(view)}`, dropBuilt(view.name, view.kind));
}

/** @throws IncrepError DEPENDENT_OBJECTS */
export async function recreateViews(work: Rebuilding): Promise<void> {
  for (const view of work.views) {
    await must(work, describeRelation(view), createBuilt(view));
    await dress(work, view);
    for (const each of itemsOf(work, view, 'dropped')) await make(work, view, each);
  }
}

/** Runs after the merge of the rows. @throws IncrepError DEPENDENT_OBJECTS */
export async function refreshViews(work: Rebuilding): Promise<void> {
  for (const view of work.views)
    if (view.kind === 'materialized view' && view.isPopulated)
      await must(work, describeRelation(view), refresh(view));
}
