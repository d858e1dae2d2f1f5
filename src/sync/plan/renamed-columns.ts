/** Columns that have another name at the source now: pure. */
import type { Relation } from '../../schema/relations.ts';
import { selectionDrift } from '../../schema/selection-drift.ts';
import { shapeOf } from '../../schema/shape.ts';
import { destinationColumn, EVERYTHING, sourceColumn, type Selection } from '../../schema/selection.ts';
import { withNames } from '../../sql/user-sql.ts';
import type { TableFacts } from '../facts/facts.ts';

/**
 * How the table can keep the former names, and its rows: a sentence, or none if no column was renamed. A column keeps its number
 * (pg_attribute.attnum) when it is renamed, and no other column ever gets that number. @param isLost the sync has already removed
 * the former columns
 */
export function renameAdvice(
  { saved, settings }: Pick<TableFacts, 'saved' | 'settings'>,
  source: Relation,
  isLost = false,
): string[] {
  if (saved.kind !== 'record' || saved.record.shape.oid !== source.oid) return [];
  const before = saved.record.shape.columns;
  const then = saved.record.selection ?? EVERYTHING;
  const { selection } = settings;
  const renamed = source.columns.flatMap((column) => {
    const former = before.find(({ position }) => position === column.position);
    if (!former || former.name === column.name || former.type !== column.type) return [];
    const name = sourceColumn(selection, column.name);
    // A changed `rename` gives a column another name, too.
    return name === sourceColumn(then, former.name) ? [] : [[name, former.name] as const];
  });
  if (renamed.length === 0) return [];
  const names = renamed.map(([now, former]) => `"${former}" is now "${now}"`).join(', ');
  const kept = selection.rename.map(({ column, to }) => [column, to] as const);
  const entry = JSON.stringify(Object.fromEntries([...kept, ...renamed]));
  const former = renamed.length === 1 ? 'name' : 'names';
  return [
    `At the source, column ${names}. To ${isLost ? `have the former ${former} again` : `keep the former ${former}, the rows and the views`}, add to the entry of the table: "rename": ${entry}`,
  ];
}

/** How the table can keep its columns if a changed `rename` gives them other names: a sentence, or none. */
export function renameBack(
  { saved, settings: { selection } }: Pick<TableFacts, 'saved' | 'settings'>,
  source: Relation,
): string[] {
  if (saved.kind !== 'record') return [];
  const { shape } = saved.record;
  const then = saved.record.selection ?? EVERYTHING;
  const drift = selectionDrift(then, selection, shape, shapeOf(source));
  if (!drift.differences.some(({ code }) => code === 'rename-changed')) return [];
  const former = then.rename.map(({ column, to }) => [column, to] as const);
  const step =
    former.length === 0
      ? 'remove "rename" from the entry of the table'
      : `set in the entry of the table: "rename": ${JSON.stringify(Object.fromEntries(former))}`;
  return [`If the change of "rename" is a mistake, put it back. To keep the former names, ${step}`];
}

interface Unmasked {
  /** The name in `transform`. */
  readonly column: string;
  /** The name at the source now. */
  readonly now: string;
}

/**
 * Columns that `transform` replaced at the last sync and that were renamed at the source since. `transform` would make a new
 * column of the former name, and the values that it hid would be copied under the new name.
 */
export function unmaskedColumns(
  { saved, settings: { selection } }: Pick<TableFacts, 'saved' | 'settings'>,
  source: Relation,
): readonly Unmasked[] {
  if (saved.kind !== 'record' || saved.record.shape.oid !== source.oid) return [];
  const { shape } = saved.record;
  const then = saved.record.selection ?? EVERYTHING;
  const isTransformed = (name: string, { transform } = selection) =>
    transform.some(({ column }) => column === name);
  return selection.transform.flatMap(({ column }): Unmasked[] => {
    if (!isTransformed(column, then)) return [];
    const former = shape.columns.find(({ name }) => name === destinationColumn(then, column));
    // A column that only `transform` makes has no number.
    if (!former || former.position === 0) return [];
    const plain = source.columns.find(({ position }) => position === former.position);
    const now = plain && sourceColumn(selection, plain.name);
    return now === undefined || isTransformed(now) ? [] : [{ column, now }];
  });
}

/** The settings with the new names, as in tables-config.json. `where` is there only if it changes. */
export function withNewNames(
  { transform, rename, where }: Selection,
  renamed: readonly Unmasked[],
): { readonly corrected: string; readonly rename: string } {
  const names = new Map(renamed.map(({ column, now }) => [column, now]));
  const named = transform.map(({ column, expression }) => [
    names.get(column) ?? column,
    withNames(expression, names),
  ]);
  const condition = where === null ? null : withNames(where, names);
  const former = (name: string) => rename.find(({ column }) => column === name)?.to ?? name;
  const kept = rename.filter(({ column }) => !names.has(column)).map(({ column, to }) => [column, to]);
  return {
    corrected: [
      `"transform": ${JSON.stringify(Object.fromEntries(named))}`,
      ...(condition === where ? [] : [`"where": ${JSON.stringify(condition)}`]),
    ].join(', '),
    rename: JSON.stringify(
      Object.fromEntries([...kept, ...renamed.map(({ column, now }) => [now, former(column)])]),
    ),
  };
}
