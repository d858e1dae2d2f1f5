/** The settings of an entry of tables-config.json, with its defaults. */
import type { TableName } from '../../schema/names.ts';
import { readPattern } from '../../schema/patterns.ts';
import { destinationColumn } from '../../schema/selection.ts';
import type { DeletionLog, InheritedKey, TablePattern, TableSettings } from '../settings.ts';
import { isPattern } from './contradictions.ts';
import { nameOf, type DefaultSchemas, type RawEntry, type TableOptions } from './raw-entry.ts';
import { placeInFile } from './schema-problems.ts';
import { selectionOf } from './selection.ts';
import { destinationOf, labelOf, recordNameOf } from './table-mapping.ts';
import type { NamedTable } from './table-names.ts';
import { USUAL_TIME_COLUMN, type TableEntry } from './tables-schema.ts';
import { neverDrops } from './writing-contradictions.ts';

export function namesOf(
  { value, path, defaults }: RawEntry,
  homes: DefaultSchemas,
): NamedTable & { readonly source?: TableName } {
  const where = placeInFile(path);
  const written = nameOf(value);
  if (written === undefined) return { where, name: undefined, destination: undefined, recordName: undefined };
  // The tables that a pattern matches are not known yet.
  const table = isPattern(written) ? written : readName(written);
  const source = {
    schema: nameOf(value, 'schema') ?? nameOf(defaults, 'schema') ?? homes.source.schema,
    table,
  };
  const placed = {
    source,
    destinationSchema: nameOf(value, 'dest_schema') ?? nameOf(defaults, 'dest_schema'),
    destinationTable: nameOf(value, 'dest_name') ?? table,
  };
  return {
    where,
    source,
    name: labelOf(source, homes.source),
    ...(isPattern(written) && { isPattern: true }),
    destination: destinationOf(homes.destination, placed),
    recordName: recordNameOf(homes, placed),
  };
}

/** Converts the options of the file to settings. */
export function settingsOf(
  entry: TableEntry,
  homes: DefaultSchemas,
  inherited: readonly InheritedKey[],
): TableSettings {
  const source = { schema: entry.schema ?? homes.source.schema, table: readName(entry.name) };
  return {
    ...optionsOf(entry, inherited),
    name: labelOf(source, homes.source),
    source,
    destinationTable: entry.dest_name ?? source.table,
    pattern: undefined,
  };
}

/** Removes the escapes of a name without a pattern. */
const readName = (text: string): string => readPattern(text).parts.join('*');

/** `place` is set once all entries are known. */
export function patternSettings(
  entry: TableEntry,
  homes: DefaultSchemas,
  inherited: readonly InheritedKey[],
): TablePattern {
  const schema = entry.schema ?? homes.source.schema;
  return {
    name: labelOf({ schema, table: entry.name }, homes.source),
    schema,
    names: readPattern(entry.name),
    copyNames: entry.dest_name === undefined ? undefined : readPattern(entry.dest_name),
    place: 0,
    options: optionsOf(entry, inherited),
  };
}

function deletionLogOf(option: TableEntry['deletes_from']): DeletionLog | undefined {
  if (option === undefined) return undefined;
  const {
    query,
    table = '',
    schema,
    deleted_at,
  } = typeof option === 'string' ? { ...PLAIN_LOG, table: option } : { ...PLAIN_LOG, ...option };
  return query === undefined ? { table, schema, deletedAt: deleted_at } : { query, deletedAt: deleted_at };
}

const PLAIN_LOG = { query: undefined, schema: undefined, deleted_at: USUAL_TIME_COLUMN };

export const inheritedIn = (entry: TableEntry, own: TableOptions): readonly InheritedKey[] =>
  (['replication_key', 'unique_cols'] as const).filter(
    (key) => own[key] === undefined && entry[key] !== undefined,
  );

/** 90 days, in seconds. */
const CONFLICT_RETENTION = 90 * 86_400;

/** The limit of tables with a replication key. */
export const DELETE_LIMIT = 0.5;

function optionsOf(entry: TableEntry, inheritedKeys: readonly InheritedKey[]): TablePattern['options'] {
  const selection = selectionOf(entry);
  const named = (column: string) => destinationColumn(selection, column);
  // A default may set this in mode full-refresh.
  const chunk = entry.mode === 'full-refresh' ? undefined : entry.chunk;
  return {
    destinationSchema: entry.dest_schema,
    replicationKey: entry.replication_key === undefined ? undefined : named(entry.replication_key),
    mergeKey: (entry.unique_cols ?? []).map(named),
    inheritedKeys,
    selection,
    mode: entry.mode,
    initialLoad: chunk ? 'copy' : entry.initial_load,
    chunk,
    loadJobs: entry.mode === 'full-refresh' ? 1 : entry.load_jobs,
    onSchemaChange: entry.on_schema_change,
    lookbackSeconds: entry.lookback,
    nullKeys: entry.null_keys,
    deletes: entry.deletes,
    deletesEverySeconds: entry.deletes_every,
    deletionLog: deletionLogOf(entry.deletes_from),
    deleteLimit: entry.delete_limit ?? (entry.mode === 'full-refresh' ? undefined : DELETE_LIMIT),
    droppedColumns: entry.dropped_columns ?? (neverDrops(entry) ? 'keep' : 'drop'),
    skipUnchanged: entry.mode === 'full-refresh' && entry.skip_unchanged,
    metadataColumns: entry.metadata_columns,
    onConflict: entry.on_conflict,
    merge: Object.entries(entry.merge ?? {}).map(([column, expression]) => ({
      column,
      name: named(column),
      expression,
    })),
    conflictLog: entry.conflict_log,
    conflictRetentionSeconds: entry.conflict_retention ?? CONFLICT_RETENTION,
    maxStalenessSeconds: entry.max_staleness,
    warnStalenessSeconds: entry.warn_staleness,
    indexes: entry.query === undefined ? entry.indexes : 'ignore',
    constraints: entry.query === undefined ? entry.constraints : 'ignore',
    types: entry.types,
    isEnabled: entry.enabled,
    conflict: undefined,
  };
}
