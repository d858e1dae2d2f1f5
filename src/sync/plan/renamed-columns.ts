/** Columns that have another name at the source now: pure. */
import type { Relation } from '../../schema/relations.ts';
import { EVERYTHING, sourceColumn } from '../../schema/selection.ts';
import type { TableFacts } from '../facts/facts.ts';

/**
 * How the table can keep the former names, and its rows: a sentence, or none if no column was renamed. A column keeps its number
 * (pg_attribute.attnum) when it is renamed, and no other column ever gets that number.
 */
export function renameAdvice(
  { saved, settings }: Pick<TableFacts, 'saved' | 'settings'>,
  source: Relation,
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
    `At the source, column ${names}. To keep the former ${former}, the rows and the views, add to the entry of the table: "rename": ${entry}`,
  ];
}
