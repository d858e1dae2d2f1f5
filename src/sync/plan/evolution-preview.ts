/** What a change in place would do, and what prevents it according to the catalog. Pure. */
import type { NativeCarriers } from '../../schema/columns.ts';
import type { TableName } from '../../schema/names.ts';
import { alterAfter, alterBefore, type Alteration } from '../../sql/reshape.ts';
import { textOf } from '../../sql/search-path.ts';
import type { Dependent } from '../../postgres/dependent-object-list.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { DraftPlan, IncrementalPlan, LoadPlan } from './plan.ts';
import { extensionFor } from './reload-guard.ts';
import { describeDependent, isView } from './drop-by-hand.ts';
import {
  byHandSteps,
  findObstruction,
  isItself,
  isHindered,
  ownershipStep,
  type Obstruction,
} from './obstructions.ts';

export interface EvolutionPreview {
  /** Statements at the destination, in order. */
  readonly alterations: readonly string[];
  /** Columns that are copied for all rows of the destination table. */
  readonly filled: readonly string[];
  /** Columns that are compared first, and copied only for the rows that differ. */
  readonly compared: readonly string[];
  /** An estimate. Undefined before the first ANALYZE. */
  readonly rows: number | undefined;
  readonly warnings: readonly string[];
  readonly obstruction: Obstruction | undefined;
}

export function previewEvolution(
  facts: TableFacts,
  { source, evolution }: IncrementalPlan,
  dependents: readonly Dependent[],
): EvolutionPreview | undefined {
  if (!evolution) return undefined;
  const obstructing = dependents.filter((each) => preventsRetyping(each, evolution));
  const isLosing = dependents.some(({ columns }) => usesAny(columns, evolution.dropped));
  const obstruction =
    isLosing || obstructing.length > 0 || dependents.some(isItself)
      ? findObstruction(facts, source, dependents)
      : undefined;
  return {
    alterations: alterationsOf(facts.destinationName, evolution, facts.natives),
    filled: evolution.filled,
    compared: evolution.compared,
    rows: source.estimatedRows,
    // A sync that would be refused loads nothing.
    warnings: (obstruction ? [] : obstructing).map(
      (each) =>
        `${describeDependent(each)} prevents a change of type in place, so increp loads the table again`,
    ),
    obstruction,
  };
}

/** The same for a load into a table that stays, because it holds rows that the source does not have. */
export function previewExtension(
  facts: TableFacts,
  { source, way }: Pick<LoadPlan, 'source' | 'way'>,
  dependents: readonly Dependent[],
): EvolutionPreview | undefined {
  if (way !== 'extend') return undefined;
  const extension = extensionFor(facts, source);
  const alterations = alterationsOf(facts.destinationName, extension, facts.natives);
  if (alterations.length === 0) return undefined;
  const stuck = dependents.filter((each) => preventsRetyping(each, extension));
  return {
    alterations,
    filled: [],
    compared: [],
    rows: source.estimatedRows,
    warnings: [],
    obstruction:
      findObstruction(facts, source, dependents) ??
      (stuck.length === 0
        ? undefined
        : {
            what: stuck.map((each) => `${describeDependent(each)} prevents a change of type`).join('; '),
            next: [
              ...ownershipStep(facts, stuck.filter(isHinderedView)),
              ...byHandSteps(
                facts,
                stuck.filter((each) => !isHinderedView(each)),
                dependents,
              ),
            ].join('\n'),
          }),
  };
}

/** What prevents the change of shape that a plan needs. Undefined if nothing does, or if the shape stays. */
export function previewObstruction(
  facts: TableFacts,
  plan: DraftPlan,
  dependents: readonly Dependent[],
): Obstruction | undefined {
  if (plan.kind === 'incremental') return previewEvolution(facts, plan, dependents)?.obstruction;
  if (plan.kind !== 'load') return undefined;
  return plan.way === 'swap'
    ? findObstruction(facts, plan.source, dependents)
    : previewExtension(facts, plan, dependents)?.obstruction;
}

/** The statements, in the order in which they run at the destination. */
const alterationsOf = (table: TableName, evolution: Alteration, natives: NativeCarriers): readonly string[] =>
  [alterBefore(table, evolution, natives), alterAfter(table, evolution)].flatMap((statement) =>
    statement === undefined ? [] : [textOf(statement)],
  );

/** The server rebuilds indexes and keys itself. increp creates views again if its role may. */
function preventsRetyping(dependent: Dependent, { retyped = [] }: Pick<Alteration, 'retyped'>): boolean {
  const changed = retyped.map(({ name }) => name);
  if (dependent.kind === 'foreign key' || !usesAny(dependent.columns, changed)) return false;
  return isView(dependent) ? isHindered(dependent) : true;
}

const isHinderedView = (dependent: Dependent): boolean => isView(dependent) && isHindered(dependent);

const usesAny = (columns: readonly string[], wanted: readonly string[]): boolean =>
  columns.some((name) => wanted.includes(name));
