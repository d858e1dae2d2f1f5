/** Columns of the destination table that get another name by a changed `rename`, and keep their values. Pure. */
import type { TableSettings } from '../../config/settings.ts';
import { IncrepError } from '../../errors.ts';
import { statementLines } from '../../report/text.ts';
import { carriedType, type Column } from '../../schema/columns.ts';
import { keepsDeleted } from '../../schema/deleted-rows.ts';
import { derivedName, printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { isAppend, isShared } from '../../schema/row-identity.ts';
import { renameChanges } from '../../schema/selection-drift.ts';
import { EVERYTHING } from '../../schema/selection.ts';
import { shapeOf } from '../../schema/shape.ts';
import { ident, qualified } from '../../sql/identifiers.ts';
import type { ColumnRename } from '../../sql/reshape.ts';
import type { TableFacts } from '../facts/facts.ts';

interface Renames {
  readonly possible: readonly ColumnRename[];
  readonly prevented: readonly (ColumnRename & { readonly by: 'name' | 'type' })[];
}

/** The destination table is not altered yet. */
function renamesOf({ saved, settings, destination, natives }: TableFacts, source: Relation): Renames {
  // A state that may be older than the table, or of another table, does not show which column has the name.
  const isKnown = saved.kind === 'record' && !saved.isFromFile && !saved.isOtherTable;
  if (!isKnown || saved.record.shape.oid !== source.oid) return { possible: [], prevented: [] };
  const { shape, selection } = saved.record;
  const typeOf = (wanted: string) => destination?.columns.find(({ name }) => name === wanted)?.type;
  const changes = renameChanges(selection ?? EVERYTHING, settings.selection, shape, shapeOf(source));
  const wanted = new Map(source.columns.map((column) => [column.name, carriedType(column, natives)]));
  const there = changes.filter(({ from }) => typeOf(from) !== undefined);
  const isSame = ({ from, to }: ColumnRename) => typeOf(from) === wanted.get(to);
  const possible = withFreeNames(there.filter(isSame), (name) => typeOf(name) !== undefined);
  return {
    possible,
    prevented: there
      .filter((each) => !possible.includes(each))
      .map((each) => ({ ...each, by: isSame(each) ? 'name' : 'type' })),
  };
}

/** A name that another of these columns gives up is free. */
function withFreeNames<T extends ColumnRename>(
  renames: readonly T[],
  isTaken: (name: string) => boolean,
): readonly T[] {
  const free = renames.filter(({ to }) => !isTaken(to) || renames.some(({ from }) => from === to));
  return free.length === renames.length ? free : withFreeNames(free, isTaken);
}

/** Whether the table stays because of rows that the source may not have, and no other pipeline uses its columns. */
const keepsRows = (settings: TableSettings): boolean =>
  !isShared(settings) &&
  settings.merge.length === 0 &&
  (isAppend(settings) || keepsDeleted(settings) || settings.onConflict === 'last_update_wins');

/** For a table that is altered in place, whatever rows it keeps. */
export const renamesInPlace = (facts: TableFacts, source: Relation): readonly ColumnRename[] =>
  renamesOf(facts, source).possible;

/** For a load. A table without rows of its own is loaded under the new names. */
export const renamesOfKept = (facts: TableFacts, source: Relation): readonly ColumnRename[] =>
  keepsRows(facts.settings) ? renamesInPlace(facts, source) : [];

export function renamedColumns(columns: readonly Column[], renames: readonly ColumnRename[]): Column[] {
  const names = new Map(renames.map(({ from, to }) => [from, to]));
  return columns.map((column) => ({ ...column, name: names.get(column.name) ?? column.name }));
}

/** The destination table and its recorded shape as if the columns had their new names. */
export function withRenames(facts: TableFacts, renames: readonly ColumnRename[]): TableFacts {
  if (renames.length === 0) return facts;
  const { destination, saved } = facts;
  const renamed = (columns: readonly Column[]) => renamedColumns(columns, renames);
  return {
    ...facts,
    destination: destination && { ...destination, columns: renamed(destination.columns) },
    saved:
      saved.kind === 'record'
        ? {
            ...saved,
            record: {
              ...saved.record,
              shape: { ...saved.record.shape, columns: renamed(saved.record.shape.columns) },
            },
          }
        : saved,
  };
}

/** The rows that the source no longer has would lose the value, or keep it in a column that nobody reads. */
export function renameRefusal(facts: TableFacts, source: Relation): IncrepError | undefined {
  const { settings, destinationName, destinationHasRows } = facts;
  const [first] = keepsRows(settings) && destinationHasRows ? renamesOf(facts, source).prevented : [];
  if (!first) return undefined;
  const { from, to, by } = first;
  const table = qualified(destinationName);
  const aside = derivedName(to, '_old');
  const [why, step, unneeded] =
    by === 'name'
      ? [
          `the table already has a column "${to}"`,
          `To keep the values of both columns, rename column "${to}". At the destination, run:${statementLines([`ALTER TABLE ${table} RENAME COLUMN ${ident(to)} TO ${ident(aside)}`])}`,
          to,
        ]
      : [
          'the type of the column changes too',
          'Put "rename" back, and sync the table with the new type first. Then change "rename" again.',
          from,
        ];
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `"rename" changes column "${from}" of ${printName(destinationName)} to "${to}", but increp cannot rename the column: ${why}. Rows that the source no longer has would lose the value`,
    next: `${step}\nIf nobody needs the values of "${unneeded}", drop the column. At the destination, run:${statementLines([`ALTER TABLE ${table} DROP COLUMN ${ident(unneeded)}`])}`,
  });
}
