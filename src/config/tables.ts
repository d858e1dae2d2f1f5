/** `tables-config.json` becomes the tables of the settings, or a list of everything that is wrong with it. */
import { join } from 'node:path';
import { readText } from './files.ts';
import { parseJson } from './json.ts';
import type { Report, Warn } from './problems.ts';
import { placeOf, problemsOf, TABLES_FILE } from './schema-problems.ts';
import type { TableSettings } from './settings.ts';
import type { NamedEntry } from './table-names.ts';
import { checkNames } from './table-names.ts';
import type { TableEntry } from './tables-schema.ts';
import { defaultsSchema, envelopeSchema, tableSchema } from './tables-schema.ts';

const TABLE_KEYS = Object.keys(tableSchema.shape);
const DEFAULTS_KEYS = Object.keys(defaultsSchema.shape);
const ENVELOPE_KEYS = Object.keys(envelopeSchema.shape);

type Options = Readonly<Record<string, unknown>>;

/** An entry as it stands in the file, not yet trusted. */
export interface RawEntry {
  readonly value: unknown;
  readonly path: readonly PropertyKey[];
  readonly defaults: Options;
}

interface Tables {
  readonly tables: readonly TableSettings[];
  readonly entries: readonly RawEntry[];
  /** As they stand in the file; undefined where it names none. */
  readonly destinations: readonly unknown[] | undefined;
}

export async function readTables(directory: string, report: Report, warn: Warn): Promise<Tables> {
  const document = await readDocument(directory, report);
  const entries = document === undefined ? [] : entriesOf(document.value, report);
  const tables = entries.map((entry) => readTable(entry, report)).filter((table) => table !== undefined);
  checkNames(entries.map(namesOf), report);
  if (tables.length > 0 && tables.every(({ isEnabled }) => !isEnabled)) {
    warn(`${TABLES_FILE}: every table has "enabled": false, so there is nothing to do`);
  }
  const destinations: unknown = isObject(document?.value) ? document.value['destinations'] : undefined;
  return { tables, entries, destinations: Array.isArray(destinations) ? destinations : undefined };
}

async function readDocument(directory: string, report: Report): Promise<{ value: unknown } | undefined> {
  const path = join(directory, TABLES_FILE);
  const { text, fault, ...failure } = await readText(path);
  if (text === undefined) {
    const isAbsence = 'isMissing' in failure && failure.isMissing;
    const what = `${path} ${fault}${isAbsence ? '; "increp init" writes one' : ''}`;
    report({ where: TABLES_FILE, what, isAbsence });
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

function entriesOf(document: unknown, report: Report): RawEntry[] {
  const isBare = Array.isArray(document);
  const envelope: unknown = isBare ? { tables: document } : document;
  const { error } = envelopeSchema.safeParse(envelope);
  problemsOf(error?.issues ?? [], { value: envelope, path: [], knownKeys: ENVELOPE_KEYS }).forEach(report);
  const { defaults, tables } = isObject(envelope) ? envelope : {};
  if (!Array.isArray(tables)) return [];
  if (tables.length === 0) report({ where: placeOf(isBare ? [] : ['tables']), what: 'there are no tables' });
  const shared = isObject(defaults) ? readDefaults(defaults, report) : {};
  const entryAt = (value: unknown, index: number): RawEntry => {
    return { value, path: isBare ? [index] : ['tables', index], defaults: shared };
  };
  return tables.map(entryAt);
}

/** What the tables may inherit; unknown keys are reported here, once, and not once more in every table. */
function readDefaults(defaults: Options, report: Report): Options {
  const { error } = defaultsSchema.safeParse(defaults);
  const checked = { value: defaults, path: ['defaults'], knownKeys: DEFAULTS_KEYS };
  problemsOf(error?.issues ?? [], checked).forEach(report);
  return Object.fromEntries(Object.entries(defaults).filter(([key]) => DEFAULTS_KEYS.includes(key)));
}

/** Undefined where a problem was reported. */
function readTable({ value, path, defaults }: RawEntry, report: Report): TableSettings | undefined {
  const own = isObject(value) ? value : undefined;
  const merged = own ? { ...defaults, ...own } : value;
  const { data, error } = tableSchema.safeParse(merged);
  if (data) {
    const contradiction = contradictionIn(data);
    if (!contradiction) return settingsOf(data);
    report({
      where: placeOf([...path, contradiction.key]),
      table: nameOf(value),
      what: contradiction.what,
    });
    return undefined;
  }
  // What is wrong in the defaults has been reported there, once.
  const issues = error.issues.filter(
    ({ path: [key] }) => !own || key === undefined || key in own || !(key in defaults),
  );
  const table = nameOf(value);
  problemsOf(issues, { value: merged, path, knownKeys: TABLE_KEYS }).forEach((problem) =>
    report({ ...problem, table }),
  );
  return undefined;
}

/** Options that are right each by itself. Never ignored: whoever asks for chunks relies on them. */
function contradictionIn({
  initial_load,
  chunk,
  load_jobs,
}: TableEntry): { key: string; what: string } | undefined {
  if (chunk && initial_load !== 'copy')
    return {
      key: 'chunk',
      what: 'pg_dump, which initial_load is set to or left at, cannot load a table in chunks; set initial_load to "copy"',
    };
  if (!chunk && load_jobs > 1)
    return { key: 'load_jobs', what: 'only chunks can be loaded at the same time; set chunk, such as "1GB"' };
  return undefined;
}

const isObject = (value: unknown): value is Options =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function nameOf(value: unknown, key = 'name'): string | undefined {
  const name = isObject(value) ? value[key] : undefined;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function namesOf({ value, path }: RawEntry): NamedEntry {
  const name = nameOf(value);
  return { path, name, destinationName: nameOf(value, 'dest_name') ?? name };
}

/** From the file's words to ours. */
function settingsOf(entry: TableEntry): TableSettings {
  return {
    name: entry.name,
    destinationName: entry.dest_name ?? entry.name,
    replicationKey: entry.replication_key,
    mergeKey: entry.unique_cols,
    mode: entry.mode,
    initialLoad: entry.initial_load,
    chunk: entry.chunk,
    loadJobs: entry.load_jobs,
    onSchemaChange: entry.on_schema_change,
    lookbackSeconds: entry.lookback,
    nullKeys: entry.null_keys,
    deletes: entry.deletes,
    deletesEverySeconds: entry.deletes_every,
    deleteLimit: entry.delete_limit,
    maxStalenessSeconds: entry.max_staleness,
    types: entry.types,
    isEnabled: entry.enabled,
  };
}
