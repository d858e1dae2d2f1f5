/** Reads `tables-config.json` into the tables of the settings, or reports all problems in it. */
import { join } from 'node:path';
import { ifForeign } from '../../ownership.ts';
import { contradictionIn, isPattern } from './contradictions.ts';
import { readText } from '../files.ts';
import { readPattern } from '../../schema/patterns.ts';
import { destinationColumn } from '../../schema/selection.ts';
import { isObject, parseJson } from './json.ts';
import { recordNameOf, destinationOf, labelOf, type DefaultSchema } from './table-mapping.ts';
import type { ReportProblem, Warn } from '../problems.ts';
import { misnamedKeys, placeInFile, placeOf, problemsOf, TABLES_FILE } from './schema-problems.ts';
import type { DeletionLog, InheritedKey, TablePattern, TableSettings } from '../settings.ts';
import type { TableName } from '../../schema/names.ts';
import { conflictOf, NameIndex, type NamedTable } from './table-names.ts';
import { selectionOf } from './selection.ts';
import { neverDrops } from './writing-contradictions.ts';
import type { TableEntry } from './tables-schema.ts';
import {
  defaultsSchema,
  envelopeSchema,
  NEEDED_KEYS,
  tableSchema,
  USUAL_TIME_COLUMN,
} from './tables-schema.ts';

const TABLE_KEYS = Object.keys(tableSchema.shape);
const DEFAULTS_KEYS = Object.keys(defaultsSchema.shape);
const ENVELOPE_KEYS = Object.keys(envelopeSchema.shape);

type TableOptions = Readonly<Record<string, unknown>>;

/** An entry as it is in the file, unchecked. */
export interface RawEntry {
  readonly value: unknown;
  readonly path: readonly PropertyKey[];
  readonly defaults: TableOptions;
  /** The options that unknown keys of the defaults probably mean. */
  readonly misnamedDefaults: readonly PropertyKey[];
}

interface Tables {
  readonly tables: readonly TableSettings[];
  readonly patterns: readonly TablePattern[];
  readonly entries: readonly RawEntry[];
  /** As it is written; undefined if it is not. */
  readonly writtenJobs: unknown;
  readonly writtenSchedule: unknown;
  readonly jobs: number;
}

/** The parsed file, before its entries are read. */
export interface TablesFile {
  /** Undefined if there is no file, or if a problem was reported. */
  readonly document: { readonly value: unknown } | undefined;
  /** The list in the file, unchecked; undefined if there is none. */
  readonly destinations: readonly unknown[] | undefined;
}

export async function readTablesFile(directory: string, report: ReportProblem): Promise<TablesFile> {
  const document = await readDocument(directory, report);
  const destinations: unknown = isObject(document?.value) ? document.value['destinations'] : undefined;
  return { document, destinations: Array.isArray(destinations) ? destinations : undefined };
}

/** The schemas of both sides. */
export interface DefaultSchemas {
  readonly source: DefaultSchema;
  readonly destination: DefaultSchema;
}

export function readTables(
  { document }: TablesFile,
  homes: DefaultSchemas,
  report: ReportProblem,
  warn: Warn,
): Tables {
  const entries = document === undefined ? [] : entriesOf(document.value, report);
  const read = entries.map((entry) => readTable(entry, homes, report)).filter((table) => table !== undefined);
  checkNames(entries, homes, report);
  entries.forEach((entry) => warnOfDottedName(entry, homes, warn));
  warnOfIdleKeys(entries, warn);
  const tables = read.filter((entry) => 'source' in entry);
  const patterns = read.flatMap((entry, index) =>
    'source' in entry
      ? []
      : [{ ...entry, place: read.slice(0, index).filter((each) => 'source' in each).length }],
  );
  if (read.length > 0 && read.every((entry) => !isEnabled(entry))) {
    warn(`${TABLES_FILE}: every table has "enabled": false, so a sync does nothing`);
  }
  return { tables, patterns, entries, ...envelopeOf(document?.value) };
}

/** A problem is reported with those of the other keys. */
function envelopeOf(document: unknown): Pick<Tables, 'jobs' | 'writtenJobs' | 'writtenSchedule'> {
  const { jobs: writtenJobs, schedule: writtenSchedule } = isObject(document) ? document : {};
  return { writtenJobs, writtenSchedule, jobs: envelopeSchema.shape.jobs.safeParse(writtenJobs).data ?? 1 };
}

const isEnabled = (entry: TableSettings | TablePattern): boolean =>
  'source' in entry ? entry.isEnabled : entry.options.isEnabled;

async function readDocument(
  directory: string,
  report: ReportProblem,
): Promise<{ value: unknown } | undefined> {
  const path = join(directory, TABLES_FILE);
  const { text, fault, ...failure } = await readText(path);
  if (text === undefined) {
    const isAbsence = 'isMissing' in failure && failure.isMissing;
    const what = isAbsence
      ? `not found in ${directory}; to create it, run "increp init"`
      : `${path} ${fault}`;
    report({
      where: TABLES_FILE,
      what,
      isAbsence,
      unreadable: isAbsence ? undefined : await ifForeign(path),
    });
    return undefined;
  }
  // Windows editors begin a file with a byte order mark, which is not JSON.
  const json = parseJson(text.replace(/^\uFEFF/, ''));
  if (!json.fault) return json;
  const { line, column, what, excerpt } = json.fault;
  const indented = excerpt.replaceAll(/^/gm, '      ');
  report({ where: `${TABLES_FILE}, line ${line}, column ${column}`, what: `${what}\n${indented}` });
  return undefined;
}

function entriesOf(document: unknown, report: ReportProblem): RawEntry[] {
  const isBare = Array.isArray(document);
  const envelope: unknown = isBare ? { tables: document } : document;
  const { error } = envelopeSchema.safeParse(envelope);
  problemsOf(error?.issues ?? [], { value: envelope, path: [], knownKeys: ENVELOPE_KEYS }).forEach(report);
  const { defaults, tables } = isObject(envelope) ? envelope : {};
  if (!Array.isArray(tables)) return [];
  if (tables.length === 0)
    report({ where: placeOf(isBare ? [] : ['tables']), what: 'there are no tables; add an entry for each' });
  const shared = isObject(defaults) ? readDefaults(defaults, report) : {};
  const misnamedDefaults = misnamedKeys(defaults, DEFAULTS_KEYS);
  const entryAt = (value: unknown, index: number): RawEntry => {
    return { value, path: isBare ? [index] : ['tables', index], defaults: shared, misnamedDefaults };
  };
  return tables.map(entryAt);
}

/** The defaults of the tables. Unknown keys are reported here once, and not again for every table. */
function readDefaults(defaults: TableOptions, report: ReportProblem): TableOptions {
  const { error } = defaultsSchema.safeParse(defaults);
  const checked = { value: defaults, path: ['defaults'], knownKeys: DEFAULTS_KEYS };
  problemsOf(error?.issues ?? [], checked).forEach(report);
  return Object.fromEntries(Object.entries(defaults).filter(([key]) => DEFAULTS_KEYS.includes(key)));
}

/** Undefined if a problem was reported. */
function readTable(
  { value, path, defaults, misnamedDefaults }: RawEntry,
  homes: DefaultSchemas,
  report: ReportProblem,
): TableSettings | TablePattern | undefined {
  const own = isObject(value) ? value : undefined;
  const merged = own ? { ...defaults, ...own } : value;
  const misnamed = [...misnamedDefaults, ...misnamedKeys(merged, TABLE_KEYS)];
  const { data, error } = tableSchema.safeParse(merged);
  if (data) {
    if (reportMissing(merged, path, misnamed, report)) return undefined;
    const contradiction = contradictionIn(data, own ?? {});
    if (!contradiction) {
      const inherited = inheritedIn(data, own ?? {});
      return isPattern(data.name)
        ? patternSettings(data, homes, inherited)
        : settingsOf(data, homes, inherited);
    }
    report({
      where: placeOf([...path, contradiction.key]),
      table: nameOf(value),
      what: contradiction.what,
    });
    return undefined;
  }
  // Problems in the defaults were already reported there.
  const issues = error.issues.filter(
    ({ path: [key] }) => !own || key === undefined || key in own || !(key in defaults),
  );
  const table = nameOf(value);
  problemsOf(issues, { value: merged, path, knownKeys: TABLE_KEYS }).forEach((problem) =>
    report({ ...problem, table }),
  );
  reportMissing(merged, path, misnamed, report);
  return undefined;
}

/**
 * Reports missing keys, which every mode except full-refresh needs. A default counts, and a key with another name was
 * reported. Returns true if a key is missing.
 */
function reportMissing(
  table: unknown,
  path: readonly PropertyKey[],
  misnamed: readonly PropertyKey[],
  report: ReportProblem,
): boolean {
  if (!isObject(table) || table['mode'] === 'full-refresh') return false;
  const missing = NEEDED_KEYS.filter(({ key }) => table[key] === undefined);
  for (const { key, allowed } of missing.filter((each) => !misnamed.includes(each.key)))
    report({
      where: placeOf([...path, key]),
      table: nameOf(table),
      what: 'missing; required unless mode is full-refresh',
      allowed,
    });
  return missing.length > 0;
}

function nameOf(value: unknown, key = 'name'): string | undefined {
  const name = isObject(value) ? value[key] : undefined;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function checkNames(entries: readonly RawEntry[], homes: DefaultSchemas, report: ReportProblem): void {
  const named = entries.map((entry) => namesOf(entry, homes));
  const [earlier, all] = [new NameIndex(), new NameIndex(named)];
  entries.forEach(({ value, path }, index) => {
    const names = named[index];
    const what = names && conflictOf(names, earlier, all);
    if (names) earlier.add(names);
    if (what !== undefined) report({ where: placeOf(path), table: nameOf(value), what });
  });
}

/** Only a warning, because a table can have such a name. An explicit "schema" ends the warning. */
function warnOfDottedName({ value, path, defaults }: RawEntry, { source }: DefaultSchemas, warn: Warn): void {
  const [name, destination] = [nameOf(value), nameOf(value, 'dest_name')];
  const hasOwn = (key: string) => nameOf({ ...defaults, ...(value as object) }, key) !== undefined;
  const say = (key: string, correction: string) =>
    warn(
      `${placeOf(path)} (table ${name ?? ''}): "${key}" is the name without the schema; write ${correction}`,
    );
  if (name?.startsWith(`${source.schema}.`) && !hasOwn('schema') && !hasOwn('query'))
    say('name', `"name": ${JSON.stringify(name.slice(source.schema.length + 1))}`);
  const [, schema, table] = /^([^.*]+)\.([^.]+)$/.exec(destination ?? '') ?? [];
  if (schema !== undefined && !hasOwn('dest_schema'))
    say('dest_name', `"dest_schema": ${JSON.stringify(schema)}, "dest_name": ${JSON.stringify(table)}`);
}

/** Only a warning, because an entry can keep its key while the mode is full-refresh. Defaults are for other tables. */
function warnOfIdleKeys(entries: readonly RawEntry[], warn: Warn): void {
  const idle = entries.filter(
    ({ value, defaults }) =>
      isObject(value) &&
      value['replication_key'] !== undefined &&
      { ...defaults, ...value }['mode'] === 'full-refresh',
  );
  const [first, ...others] = idle;
  if (!first) return;
  const rest = others.length === 0 ? '' : ` (and ${others.length} more)`;
  warn(
    `${placeOf(first.path)} (table ${nameOf(first.value) ?? ''})${rest}: "replication_key" selects no changes, because mode "full-refresh" reads the whole table; to copy only changes, remove "mode"`,
  );
}

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
function settingsOf(
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
function patternSettings(
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

const inheritedIn = (entry: TableEntry, own: TableOptions): readonly InheritedKey[] =>
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
