/** A key or a selected column that has another name at the source now: pure. */
import { IncrepError } from '../../errors.ts';
import { printName } from '../../schema/names.ts';
import { optionsOf, type Selection } from '../../schema/selection.ts';
import { patternOption } from '../facts/column-not-found.ts';
import type { TableFacts } from '../facts/facts.ts';
import { keysAtSource, type TableKeys } from '../facts/keys-at-source.ts';
import type { SourceRename } from '../facts/source-renames.ts';

/** The options with which the destination table keeps the former names, and so its rows. */
function keepingNames(
  { replicationKey, mergeKey }: TableKeys,
  { rename }: Selection,
  renamed: readonly SourceRename[],
) {
  const names = new Map(renamed.map(({ column, now }) => [column, now]));
  const nowOf = (column: string) => names.get(column) ?? column;
  const kept = rename.filter(({ column }) => !names.has(column)).map(({ column, to }) => [column, to]);
  return {
    ...(replicationKey !== undefined && { replication_key: nowOf(replicationKey) }),
    ...(mergeKey.length > 0 && { unique_cols: mergeKey.map(nowOf) }),
    rename: Object.fromEntries([
      ...kept,
      ...renamed.filter(({ now, at }) => now !== at).map(({ now, at }) => [now, at]),
    ]) as object,
  };
}

/** Correcting the key alone would drop the column of the former name, or load the table again. */
export function columnRenamed(
  { settings, sourceName }: TableFacts,
  found: readonly SourceRename[],
): IncrepError {
  const { selection, name } = settings;
  const pattern = patternOption(settings, sourceName);
  const keys = keysAtSource(settings);
  const { rename, ...keyFields } = keepingNames(keys, selection, found);
  const isRenamed = (key: string) => found.some(({ column }) => column === key);
  const fields = {
    ...(keys.replicationKey !== undefined &&
      isRenamed(keys.replicationKey) && { replication_key: keyFields.replication_key }),
    ...(keys.mergeKey.some(isRenamed) && { unique_cols: keyFields.unique_cols }),
    rename,
  };
  const names = found.map(({ column, now }) => `"${column}" is now "${now}"`).join(', ');
  const others = optionsOf(selection).filter((option) => option !== 'rename');
  return new IncrepError('COLUMN_NOT_FOUND', {
    what: `the source renamed ${found.length === 1 ? 'a column' : 'columns'} of ${printName(sourceName)}: ${names}`,
    next: `To keep the rows and the ${found.length === 1 ? 'former name' : 'former names'} at the destination, ${
      pattern
        ? `add an entry to tables-config.json: ${JSON.stringify({ ...pattern.names, ...keyFields, rename })}`
        : `set for table "${name}" in tables-config.json: ${fieldsOf(fields)}`
    }${others.length === 0 ? '' : `. Write the new names in its other options too: ${others.map((option) => `"${option}"`).join(', ')}`}.`,
  });
}

/** `"schema": "shop", "name": "orders"` */
export const fieldsOf = (entry: object): string =>
  Object.entries(entry)
    .map(([key, value]) => `"${key}": ${JSON.stringify(value)}`)
    .join(', ');
