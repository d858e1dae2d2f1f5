/** Describes the selection of an entry in one line: pure. */
import { listed } from '../format.ts';
import { hasMadeColumns, optionsOf, sourceColumn } from '../schema/selection.ts';
import type { TableFacts } from '../sync/facts/facts.ts';

/** A longer text would hide the rest of the plan. */
const SHOWN_SQL = 160;
const SHOWN_COLUMNS = 8;

function shortened(sql: string): string {
  const line = sql.replaceAll(/\s+/g, ' ').trim();
  return line.length > SHOWN_SQL ? `${line.slice(0, SHOWN_SQL)}...` : line;
}

/** Undefined if everything is copied unchanged, or if the columns are unknown. */
export function selectionWords({ settings, source, sourceColumns }: TableFacts): string | undefined {
  const { selection } = settings;
  const options = optionsOf(selection);
  if (options.length === 0) return undefined;
  if (selection.query !== null) return `the query ${shortened(selection.query)}`;
  const isOwn = ({ name }: { readonly name: string }) =>
    sourceColumns?.includes(sourceColumn(selection, name)) === true;
  const own = source?.columns.filter(isOwn).length ?? 0;
  const made = (source?.columns.length ?? 0) - own;
  const words = [
    ...(sourceColumns && (own < sourceColumns.length || made > 0)
      ? [`${own} of ${sourceColumns.length} columns${made > 0 ? ` and ${made} more` : ''}`]
      : []),
    ...(selection.where === null ? [] : [`where ${shortened(selection.where)}`]),
    ...(hasMadeColumns(selection)
      ? [
          `${listed(
            selection.transform.map(({ column }) => column),
            SHOWN_COLUMNS,
          )} transformed`,
        ]
      : []),
    ...(selection.rename.length === 0
      ? []
      : [
          listed(
            selection.rename.map(({ column, to }) => `${column} as ${to}`),
            SHOWN_COLUMNS,
          ),
        ]),
  ];
  return words.length === 0 ? undefined : words.join('; ');
}
