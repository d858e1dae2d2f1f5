/** What somebody has changed of a selection since the copy was made: pure, one sentence each. */
import { EVERYTHING, expressionOf, isCopied, type Selection } from './selection.ts';
import type { Shape } from './shape.ts';

interface SelectionDrift {
  readonly sentences: readonly string[];
  /** Names of columns that these sentences account for: they are no news from the source. */
  readonly columns: ReadonlySet<string>;
  /** A query in the place of a table, or of another query: nothing is to be compared with what was there. */
  readonly isOther: boolean;
}

/** `made` is the shape that the copy was made in, `current` what would be copied now. */
export function selectionDrift(
  before: Selection | null,
  now: Selection,
  made: Shape,
  current: Shape,
): SelectionDrift {
  const was = before ?? EVERYTHING;
  if (was.query !== now.query) {
    const columns = new Set([...made.columns, ...current.columns].map(({ name }) => name));
    return { sentences: [queryChange(was.query, now.query)], columns, isOther: true };
  }
  const changes = [...columnChanges(was, now, made, current), ...transformChanges(was, now)];
  return {
    sentences: [
      ...(was.where === now.where ? [] : [change('where', was.where, now.where)]),
      ...changes.map(({ sentence }) => sentence),
    ],
    columns: new Set(changes.map(({ column }) => column)),
    isOther: false,
  };
}

/** Whether rows and values are those that were selected before, whichever columns are. */
export function selectsAlike(before: Selection | null, now: Selection): boolean {
  const was = before ?? EVERYTHING;
  return was.query === now.query && was.where === now.where && transformChanges(was, now).length === 0;
}

/** Long texts would hide everything else that is said. */
const SHOWN = 60;

function shown(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}...` : line;
}

const change = (what: string, was: string | null, now: string | null): string => {
  if (was === null) return `${what} is new: ${shown(now ?? '')}`;
  return now === null ? `${what} is gone: ${shown(was)}` : `${what} changed to: ${shown(now)}`;
};

function queryChange(was: string | null, now: string | null): string {
  if (was === null) return 'a query is copied now, and was a table';
  return now === null ? 'a table is copied now, and was a query' : 'query changed';
}

interface ColumnChange {
  readonly column: string;
  readonly sentence: string;
}

const optionIn = ({ columns }: Selection): string => (columns === null ? 'exclude_columns' : 'columns');

function columnChanges(was: Selection, now: Selection, made: Shape, current: Shape): ColumnChange[] {
  const left = made.columns.filter(({ name }) => !isCopied(now, name) && isCopied(was, name));
  const taken = current.columns.filter(({ name }) => isCopied(now, name) && !isCopied(was, name));
  return [
    ...left.map(({ name }) => ({
      column: name,
      sentence: `column "${name}" is no longer copied (${optionIn(now)})`,
    })),
    ...taken.map(({ name }) => ({
      column: name,
      sentence: `column "${name}" is copied now (${optionIn(now.columns === null && now.excludeColumns.length === 0 ? was : now)})`,
    })),
  ];
}

function transformChanges(was: Selection, now: Selection): ColumnChange[] {
  const names = new Set([...was.transform, ...now.transform].map(({ column }) => column));
  return [...names].flatMap((column) => {
    const [before, after] = [expressionOf(was, column) ?? null, expressionOf(now, column) ?? null];
    if (before === after) return [];
    return [{ column, sentence: change(`transform of "${column}"`, before, after) }];
  });
}

/** A shape without those columns. */
export const without = (shape: Shape, columns: ReadonlySet<string>): Shape => ({
  ...shape,
  columns: shape.columns.filter(({ name }) => !columns.has(name)),
});
