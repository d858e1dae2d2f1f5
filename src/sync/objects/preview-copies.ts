/** What the next sync would do for copied objects. It writes nothing. */
import { carriedType } from '../../schema/columns.ts';
import type { TableObjects } from '../../schema/table-objects.ts';
import { copyKey } from '../../schema/row-identity.ts';
import { ident } from '../../sql/identifiers.ts';
import type { TableFacts } from '../facts/facts.ts';
import { describeCopies, type CopiedTable, type ObjectReading } from './copied-table.ts';

/** By table. Tables without copied objects are missing. */
export async function previewCopies(
  context: ObjectReading,
  tables: readonly TableFacts[],
): Promise<ReadonlyMap<TableFacts, CopiedTable>> {
  const predicted = new Map(tables.map((table) => [table.settings.name, predictedTable(table)]));
  const found = await describeCopies(
    context,
    tables.map(({ settings }) => settings),
    predicted,
  );
  return new Map(
    found.flatMap((copied) => {
      const table = tables.find(({ settings }) => settings === copied.settings);
      return table ? [[table, copied] as const] : [];
    }),
  );
}

/** A destination table that the sync would create. Its unique key has an index then. */
function predictedTable({ destinationName, source, natives, settings }: TableFacts): TableObjects {
  const key = copyKey(settings);
  // As a load decides.
  const isPrimary = key.every((name) => source?.columns.some((each) => each.name === name && each.isNotNull));
  const columns = (source?.columns ?? []).map((column) => ({
    name: column.name,
    type: carriedType(column, natives),
  }));
  return {
    name: destinationName,
    kind: 'r',
    columns,
    indexes: [keyIndex(key, isPrimary ? 'p' : undefined)],
    checks: [],
    foreignKeys: [],
    defaults: [],
  };
}

const keyIndex = (columns: readonly string[], type: 'p' | undefined): TableObjects['indexes'][number] => ({
  name: '',
  isUnique: true,
  isValid: columns.length > 0,
  comment: null,
  definition: `btree (${columns.map(ident).join(', ')})`,
  columns,
  printed: columns.map(ident),
  uses: columns,
  isPlain: true,
  constraint:
    type === undefined || columns.length === 0
      ? null
      : { name: '', type, isDeferrable: false, isDeferred: false, comment: null, definition: '' },
});
