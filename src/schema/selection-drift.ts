/** Differences between the current selection and the selection of the last load. Pure. */
import type { Difference } from '../reasons.ts';
import {
  destinationColumn,
  EVERYTHING,
  expressionOf,
  isCopied,
  sourceColumn,
  type Selection,
} from './selection.ts';
import type { Shape } from './shape.ts';

interface SelectionDrift {
  readonly differences: readonly Difference[];
  /** Columns that these differences explain, so they are no change of the source. */
  readonly columns: ReadonlySet<string>;
  /** A query replaced a table or another query. The former shape says nothing then. */
  readonly isOther: boolean;
}

/** `made`: the shape of the last load. `current`: the shape of a load now. */
export function selectionDrift(
  before: Selection | null,
  now: Selection,
  made: Shape,
  current: Shape,
): SelectionDrift {
  const was = before ?? EVERYTHING;
  if (was.query !== now.query) {
    const columns = new Set([...made.columns, ...current.columns].map(({ name }) => name));
    const [from, to] = [kindOf(was), kindOf(now)];
    return { differences: [{ code: 'query-changed', from, to }], columns, isOther: true };
  }
  const changes = [...columnChanges(was, now, made, current), ...transformChanges(was, now)];
  const renames = renameChanges(was, now, made, current);
  return {
    differences: [
      ...(was.where === now.where
        ? []
        : [{ code: 'where-changed', from: was.where, to: now.where } as const]),
      ...changes,
      ...renames,
    ],
    columns: new Set([
      ...changes.flatMap(({ column }) => [destinationColumn(was, column), destinationColumn(now, column)]),
      ...renames.flatMap(({ from, to }) => [from, to]),
    ]),
    isOther: false,
  };
}

const kindOf = ({ query }: Selection): 'table' | 'query' => (query === null ? 'table' : 'query');

/** Whether both selections give the same rows and values. The columns and their names may differ. */
export function selectsAlike(before: Selection | null, now: Selection): boolean {
  const was = before ?? EVERYTHING;
  return was.query === now.query && was.where === now.where && transformChanges(was, now).length === 0;
}

type ColumnChange = Extract<
  Difference,
  { readonly code: 'column-selected' | 'column-deselected' | 'transform-changed' }
>;

const settingIn = ({ columns }: Selection) => (columns === null ? 'exclude_columns' : 'columns');

function columnChanges(was: Selection, now: Selection, made: Shape, current: Shape): ColumnChange[] {
  // A column that was renamed at the source, and is now called by its new name in the settings, is on both sides.
  const namesOf = (columns: Shape['columns'], others: Shape['columns'], selection: Selection) =>
    columns
      .filter(({ name }) => !others.some((other) => other.name === name))
      .map(({ name }) => sourceColumn(selection, name));
  const left = namesOf(made.columns, current.columns, was).filter(
    (name) => !isCopied(now, name) && isCopied(was, name),
  );
  const taken = namesOf(current.columns, made.columns, now).filter(
    (name) => isCopied(now, name) && !isCopied(was, name),
  );
  const deciding = now.columns === null && now.excludeColumns.length === 0 ? was : now;
  return [
    ...left.map((column) => ({ code: 'column-deselected', column, setting: settingIn(now) }) as const),
    ...taken.map((column) => ({ code: 'column-selected', column, setting: settingIn(deciding) }) as const),
  ];
}

type RenameChange = Extract<Difference, { readonly code: 'rename-changed' }>;

/** The position shows that it is the same column. If its name at the destination is as before, nothing has changed. */
export function renameChanges(was: Selection, now: Selection, made: Shape, current: Shape): RenameChange[] {
  return current.columns.flatMap(({ name, position }): RenameChange[] => {
    const column = sourceColumn(now, name);
    const from = destinationColumn(was, column);
    const isSame = made.columns.some((old) => old.name === from && old.position === position);
    return from !== name && isSame ? [{ code: 'rename-changed', column, from, to: name }] : [];
  });
}

function transformChanges(was: Selection, now: Selection): ColumnChange[] {
  const names = new Set([...was.transform, ...now.transform].map(({ column }) => column));
  return [...names].flatMap((column): ColumnChange[] => {
    const [from, to] = [expressionOf(was, column) ?? null, expressionOf(now, column) ?? null];
    return from === to ? [] : [{ code: 'transform-changed', column, from, to }];
  });
}

export const without = (shape: Shape, columns: ReadonlySet<string>): Shape => ({
  ...shape,
  columns: shape.columns.filter(({ name }) => !columns.has(name)),
});
