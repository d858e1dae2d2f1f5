/** Materialized views that still have rows or values that the selection hides from now on. Pure. */
import type { Dependent } from '../../postgres/dependent-object-list.ts';
import { statementLines } from '../../report/text.ts';
import { EVERYTHING } from '../../schema/selection.ts';
import type { TableFacts } from '../facts/facts.ts';
import { alterationFor } from './alteration.ts';
import { asOwner, describeDependent, inDropOrder } from './drop-by-hand.ts';
import { appliesSelection, newlyMasked } from './kept-values.ts';
import type { Plan } from './plan.ts';
import { renamesInPlace } from './renames-in-place.ts';

/** What the plan hides. Undefined if it hides nothing. An exchanged table gets its views with new data. */
function hiddenBy(facts: TableFacts, plan: Plan): readonly string[] | 'rows' | undefined {
  const { saved, settings, source } = facts;
  if (saved.kind !== 'record' || !source || !appliesSelection(facts, plan)) return undefined;
  if (plan.kind === 'load' && plan.way === 'swap' && !alterationFor(facts, source)) return undefined;
  const { where } = settings.selection;
  if (where !== null && where !== (saved.record.selection ?? EVERYTHING).where) return 'rows';
  const masked = newlyMasked(facts);
  // Views use a renamed column by its former name until the sync.
  const former = renamesInPlace(facts, source).flatMap(({ from, to }) => (masked.includes(to) ? [from] : []));
  return masked.length === 0 ? undefined : [...masked, ...former];
}

export const hidesValues = (facts: TableFacts, plan: Plan): boolean => hiddenBy(facts, plan) !== undefined;

export function staleViewNotes(facts: TableFacts, plan: Plan, dependents: readonly Dependent[]): string[] {
  const hidden = hiddenBy(facts, plan);
  if (hidden === undefined) return [];
  const uses = ({ columns, reads }: Dependent): boolean =>
    hidden === 'rows' ||
    columns.some((name) => hidden.includes(name)) ||
    dependents.some((view) => reads.includes(view.name) && uses(view));
  const views = inDropOrder(dependents)
    .toReversed()
    .filter((each) => each.kind === 'materialized view' && uses(each));
  if (views.length === 0) return [];
  const what =
    hidden === 'rows' ? 'rows from before the new "where"' : 'values from before the new "transform"';
  const keeps = views.length === 1 ? 'keeps' : 'keep';
  return [
    `${views.map(describeDependent).join(', ')} ${keeps} ${what} until the next refresh. After the sync, at the destination, run${asOwner(views)}:${statementLines(views.map(({ name }) => `REFRESH MATERIALIZED VIEW ${name}`))}`,
  ];
}
