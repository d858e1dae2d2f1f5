/** `on_schema_change: "evolve"`: what it takes to give a copy the shape of its source where it stands. Pure. */
import type { EvolutionObstacle } from '../reasons.ts';
import { carriedType, type Column, type NativeCarriers } from './columns.ts';
import { hasChangedValues } from './drift.ts';
import { keyTypeOf } from './keys.ts';
import type { Shape } from './shape.ts';
import { isWidening } from './widening.ts';

export interface Retyped {
  readonly name: string;
  /** The destination's types. */
  readonly from: string;
  readonly to: string;
}

export interface Evolution {
  readonly added: readonly Column[];
  /** Names of columns that are gone from the source. One that came back with another type is in both. */
  readonly dropped: readonly string[];
  readonly retyped: readonly Retyped[];
  /** Names of columns that may be NULL from now on... */
  readonly loosened: readonly string[];
  /** ...and of those that may not be any more. */
  readonly tightened: readonly string[];
  /** Columns whose values the copy does not have: they are copied for all rows that it has. */
  readonly filled: readonly string[];
  /**
   * Columns that the source has converted in a way that its shape does not tell (USING): the copy's values, converted
   * likewise, are compared with the source's, and copied where they differ.
   */
  readonly compared: readonly string[];
}

export interface EvolutionInput {
  /** When the copy was made, and now. */
  readonly recorded: Shape;
  readonly current: Shape;
  readonly copy: readonly Column[];
  readonly natives: NativeCarriers;
  readonly mergeKey: readonly string[];
  readonly replicationKey: string;
  /** Whether rows that are gone from the source stay, marked. */
  readonly keepsMarked: boolean;
}

type Step = Partial<Evolution> | { readonly obstacle: EvolutionObstacle };

export type EvolutionPlan =
  | { readonly kind: 'in-place'; readonly evolution: Evolution }
  | { readonly kind: 'not-in-place'; readonly obstacles: readonly EvolutionObstacle[] };

/** The steps, or why there are none. */
export function evolutionOf(evolving: EvolutionInput): EvolutionPlan {
  const { recorded, current, copy } = evolving;
  if (recorded.oid !== current.oid) return { kind: 'not-in-place', obstacles: [{ code: 'rows-unknown' }] };
  const steps = current.columns.map((column) => stepFor(column, evolving));
  const obstacles = steps.flatMap((step) => ('obstacle' in step ? [step.obstacle] : []));
  if (obstacles.length > 0) return { kind: 'not-in-place', obstacles };
  const gone = recorded.columns
    .map(({ name }) => name)
    .filter((name) => !find(current.columns, name) && find(copy, name));
  const done = steps.filter((step): step is Partial<Evolution> => !('obstacle' in step));
  const evolution = {
    added: done.flatMap(({ added = [] }) => added),
    dropped: [...gone, ...done.flatMap(({ dropped = [] }) => dropped)],
    retyped: done.flatMap(({ retyped = [] }) => retyped),
    loosened: done.flatMap(({ loosened = [] }) => loosened),
    tightened: done.flatMap(({ tightened = [] }) => tightened),
    filled: done.flatMap(({ filled = [] }) => filled),
    compared: done.flatMap(({ compared = [] }) => compared),
  };
  return { kind: 'in-place', evolution };
}

const find = (columns: readonly Column[], wanted: string): Column | undefined =>
  columns.find(({ name }) => name === wanted);

function stepFor(column: Column, evolving: EvolutionInput): Step {
  const { name } = column;
  const old = find(evolving.recorded.columns, name);
  const obstacle = keyObstacle(column, old, evolving);
  if (obstacle !== undefined) return { obstacle };
  const copy = find(evolving.copy, name);
  if (!copy) return addition(column, evolving);
  const wanted = carriedType(column, evolving.natives);
  // Dropped and added again, or not ours until now.
  const hasNewValues = old?.position !== column.position;
  if (copy.type !== wanted && !isWidening(copy.type, wanted)) {
    if (hasNewValues && old) return { ...addition(column, evolving), dropped: [name] };
    return {
      obstacle: { code: 'not-convertible', column: name, type: copy.type, wanted },
    };
  }
  // What fills a column before it becomes NOT NULL moves no replication key either.
  const isStricter = column.isNotNull && old?.isNotNull === false;
  const isCompared =
    copy.type !== wanted || isStricter || (old !== undefined && hasChangedValues(old, column));
  return {
    ...(copy.type !== wanted && { retyped: [{ name, from: copy.type, to: wanted }] }),
    ...(hasNewValues ? { filled: [name] } : isCompared ? { compared: [name] } : {}),
    ...(copy.isNotNull && !column.isNotNull && { loosened: [name] }),
    // A copy that is laxer than its source for another reason stays so.
    ...(column.isNotNull && !copy.isNotNull && old?.isNotNull !== true && demand(column, evolving)),
  };
}

const addition = (column: Column, evolving: EvolutionInput): Partial<Evolution> => ({
  added: [column],
  filled: [column.name],
  ...(column.isNotNull && demand(column, evolving)),
});

/** Rows that are marked as deleted have no value for a column that came later. */
const demand = ({ name }: Column, { keepsMarked }: EvolutionInput): Partial<Evolution> =>
  keepsMarked ? {} : { tightened: [name] };

/** What identifies a row, or says when it changed, has to be the same column with the same values. */
function keyObstacle(
  column: Column,
  old: Column | undefined,
  { mergeKey, replicationKey, copy }: EvolutionInput,
): EvolutionObstacle | undefined {
  const { name } = column;
  const isIdentity = mergeKey.includes(name);
  if (!isIdentity && name !== replicationKey) return undefined;
  const setting = isIdentity ? 'unique_cols' : 'replication_key';
  const found = find(copy, name);
  if (!old || !found || old.position !== column.position)
    return { code: 'key-replaced', column: name, setting };
  if (name === replicationKey && keyTypeOf(old) !== keyTypeOf(column))
    return { code: 'key-reordered', column: name, setting };
  if (isIdentity && found.isNotNull && !column.isNotNull)
    return { code: 'key-nullable', column: name, setting };
  return undefined;
}

/** Whether anything of it needs ALTER TABLE. */
export const altersTable = ({ added, dropped, retyped, loosened, tightened }: Evolution): boolean =>
  added.length + dropped.length + retyped.length + loosened.length + tightened.length > 0;
