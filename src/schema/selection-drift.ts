/** Differences between the current selection and the selection of the last load. Pure. */
import type { Difference } from '../reasons.ts';
import { EVERYTHING, expressionOf, isCopied, type Selection } from './selection.ts';
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
  return {
    differences: [
      ...(was.where === now.where
        ? []
        : [{ code: 'where-changed', from: was.where, to: now.where } as const]),
      ...changes,
    ],
    columns: new Set(changes.map(({ column }) => column)),
    isOther: false,
  };
}

const kindOf = ({ query }: Selection): 'table' | 'query' => (query === null ? 'table' : 'query');

/** Whether both selections give the same rows and values. The list of columns may differ. */
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
  const left = made.columns.filter(({ name }) => !isCopied(now, name) && isCopied(was, name));
  const taken = current.columns.filter(({ name }) => isCopied(now, name) && !isCopied(was, name));
  const deciding = now.columns === null && now.excludeColumns.length === 0 ? was : now;
  return [
    ...left.map(
      ({ name }) => ({ code: 'column-deselected', column: name, setting: settingIn(now) }) as const,
    ),
    ...taken.map(
      ({ name }) => ({ code: 'column-selected', column: name, setting: settingIn(deciding) }) as const,
    ),
  ];
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
