/** `on_schema_change: "evolve"`: the steps that give a destination table the shape of its source in place. Pure. */
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
  /** Columns that a changed `rename` gives another name. All other names are the new ones. */
  readonly renamed?: readonly { readonly from: string; readonly to: string }[];
  readonly added: readonly Column[];
  /** Names of columns that the source dropped. A column that was added again with another type is also in `added`. */
  readonly dropped: readonly string[];
  readonly retyped: readonly Retyped[];
  /** Names of columns that may be NULL now. */
  readonly loosened: readonly string[];
  /** Names of columns that may no longer be NULL. */
  readonly tightened: readonly string[];
  /** Columns whose values the destination table lacks. They are copied for all its rows. */
  readonly filled: readonly string[];
  /**
   * Columns that the source may have converted by an unknown expression (USING). The server converts the values of the
   * destination table. They are compared with the source, and copied if they differ.
   */
  readonly compared: readonly string[];
}

export interface EvolutionInput {
  /** The shape of the source at the last sync, and now. */
  readonly recorded: Shape;
  readonly current: Shape;
  readonly copy: readonly Column[];
  readonly natives: NativeCarriers;
  readonly mergeKey: readonly string[];
  readonly replicationKey: string;
  /** Whether rows that are gone from the source stay in the destination table. */
  readonly keepsDeleted: boolean;
  /** Whether columns that the source dropped stay in the destination table. */
  readonly keepsDropped: boolean;
}

type Step = Partial<Evolution> | { readonly obstacle: EvolutionObstacle };

export type EvolutionPlan =
  | { readonly kind: 'in-place'; readonly evolution: Evolution }
  | { readonly kind: 'not-in-place'; readonly obstacles: readonly EvolutionObstacle[] };

/** The steps, or the obstacles to a change in place. */
export function evolutionOf(evolving: EvolutionInput): EvolutionPlan {
  const { recorded, current, copy: destination } = evolving;
  if (recorded.oid !== current.oid) return { kind: 'not-in-place', obstacles: [{ code: 'rows-unknown' }] };
  const steps = current.columns.map((column) => stepFor(column, evolving));
  const obstacles = steps.flatMap((step) => ('obstacle' in step ? [step.obstacle] : []));
  if (obstacles.length > 0) return { kind: 'not-in-place', obstacles };
  const gone = recorded.columns
    .map(({ name }) => name)
    .filter((name) => !find(current.columns, name) && find(destination, name));
  const { keepsDropped } = evolving;
  const done = steps.filter((step): step is Partial<Evolution> => !('obstacle' in step));
  const evolution = {
    added: done.flatMap(({ added = [] }) => added),
    dropped: [...(keepsDropped ? [] : gone), ...done.flatMap(({ dropped = [] }) => dropped)],
    retyped: done.flatMap(({ retyped = [] }) => retyped),
    loosened: [
      ...(keepsDropped ? gone.filter((name) => find(destination, name)?.isNotNull) : []),
      ...done.flatMap(({ loosened = [] }) => loosened),
    ],
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
  const found = find(evolving.copy, name);
  if (!found) return addition(column, evolving);
  const wanted = carriedType(column, evolving.natives);
  // The column was dropped and added again, or it was not copied before.
  const hasNewValues = old?.position !== column.position;
  if (found.type !== wanted && !isWidening(found.type, wanted)) {
    if (hasNewValues && old && !evolving.keepsDropped)
      return { ...addition(column, evolving), dropped: [name] };
    return {
      obstacle: { code: 'not-convertible', column: name, type: found.type, wanted },
    };
  }
  // An UPDATE that fills a column before SET NOT NULL may leave the replication key as it was.
  const isStricter = column.isNotNull && old?.isNotNull === false;
  const isCompared =
    found.type !== wanted || isStricter || (old !== undefined && hasChangedValues(old, column));
  return {
    ...(found.type !== wanted && { retyped: [{ name, from: found.type, to: wanted }] }),
    ...(hasNewValues ? { filled: [name] } : isCompared ? { compared: [name] } : {}),
    ...(found.isNotNull && !column.isNotNull && { loosened: [name] }),
    // If the column was NOT NULL at the source before, the missing NOT NULL at the destination is deliberate.
    ...(column.isNotNull && !found.isNotNull && old?.isNotNull !== true && demand(column, evolving)),
  };
}

const addition = (column: Column, evolving: EvolutionInput): Partial<Evolution> => ({
  added: [column],
  filled: [column.name],
  ...(column.isNotNull && demand(column, evolving)),
});

/** Rows that are gone from the source have no value for a column that was added later. */
const demand = ({ name }: Column, { keepsDeleted }: EvolutionInput): Partial<Evolution> =>
  keepsDeleted ? {} : { tightened: [name] };

/** The unique key and the replication key have to be the same columns with the same values. */
function keyObstacle(
  column: Column,
  old: Column | undefined,
  { mergeKey, replicationKey, copy: destination }: EvolutionInput,
): EvolutionObstacle | undefined {
  const { name } = column;
  const isIdentity = mergeKey.includes(name);
  if (!isIdentity && name !== replicationKey) return undefined;
  const setting = isIdentity ? 'unique_cols' : 'replication_key';
  const found = find(destination, name);
  if (!old || !found || old.position !== column.position)
    return { code: 'key-replaced', column: name, setting };
  if (name === replicationKey && keyTypeOf(old) !== keyTypeOf(column))
    return { code: 'key-reordered', column: name, setting };
  if (isIdentity && found.isNotNull && !column.isNotNull)
    return { code: 'key-nullable', column: name, setting };
  return undefined;
}

/** Whether the change needs ALTER TABLE. */
export const altersTable = ({
  renamed = [],
  added,
  dropped,
  retyped,
  loosened,
  tightened,
}: Evolution): boolean =>
  renamed.length + added.length + dropped.length + retyped.length + loosened.length + tightened.length > 0;
