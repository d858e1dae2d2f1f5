/** Columns that have another name at the source than at the last sync: pure. */
import type { TableSettings } from '../../config/settings.ts';
import type { TableName } from '../../schema/names.ts';
import { atSource, type Relation } from '../../schema/relations.ts';
import { EVERYTHING, sourceColumn } from '../../schema/selection.ts';
import { hasName } from '../../sql/user-sql.ts';
import type { SavedState } from './saved-state.ts';
import type { Selected } from './source-selection.ts';

export interface SourceRename {
  /** The name at the source at the last sync. */
  readonly column: string;
  readonly now: string;
  /** The name at the destination. */
  readonly at: string;
}

/** `source` has the names of the source. A query has no numbers of columns that last. */
export function renamedColumns({ saved }: Pick<Renamable, 'saved'>, source: Relation): SourceRename[] {
  if (saved.kind !== 'record' || source.kind === 'query') return [];
  const { shape, selection } = saved.record;
  if (shape.oid !== source.oid) return [];
  return shape.columns.flatMap(({ name: at, position }): SourceRename[] => {
    const column = sourceColumn(selection ?? EVERYTHING, at);
    const now = source.columns.find((each) => position > 0 && each.position === position)?.name;
    return now === undefined || now === column ? [] : [{ column, now, at }];
  });
}

/** Of a table that a query names. */
export interface RenameElsewhere extends SourceRename {
  readonly table: TableName;
}

interface Renamable {
  readonly settings: Pick<TableSettings, 'selection'>;
  readonly sourceName: TableName;
  readonly source: Relation | undefined;
  readonly saved: SavedState;
  readonly selected: Selected;
}

/** The renamed column that the query of `now` still names, in the tables that it reads. */
export function renamesOfQuery(
  { settings: { selection }, selected: { fault } }: Pick<Renamable, 'settings' | 'selected'>,
  tables: readonly Renamable[],
): RenameElsewhere[] {
  const { query } = selection;
  if (query === null || fault?.column === undefined) return [];
  return tables.flatMap((table) => {
    const { source, sourceName, settings } = table;
    if (!source || !hasName(query, sourceName.table)) return [];
    return renamedColumns(table, atSource(source, settings.selection))
      .filter(({ column }) => column === fault.column)
      .map((rename) => ({ ...rename, table: sourceName }));
  });
}
