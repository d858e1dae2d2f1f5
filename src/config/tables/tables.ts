/** Reads `tables-config.json` into the tables of the settings, or reports all problems in it. */
import { join } from 'node:path';
import { ifForeign } from '../../ownership.ts';
import { readText } from '../files.ts';
import type { ReportProblem, Warn } from '../problems.ts';
import type { TablePattern, TableSettings } from '../settings.ts';
import { contradictionIn, isPattern } from './contradictions.ts';
import { checkNames, warnOfDottedName, warnOfIdleKeys } from './entry-names.ts';
import { isObject, parseJson } from './json.ts';
import { nameOf, type DefaultSchemas, type RawEntry, type TableOptions } from './raw-entry.ts';
import { misnamedKeys, placeOf, problemsOf, TABLES_FILE } from './schema-problems.ts';
import { inheritedIn, patternSettings, settingsOf } from './table-settings.ts';
import { defaultsSchema, envelopeSchema, NEEDED_KEYS, tableSchema } from './tables-schema.ts';

const TABLE_KEYS = Object.keys(tableSchema.shape);
const DEFAULTS_KEYS = Object.keys(defaultsSchema.shape);
const ENVELOPE_KEYS = Object.keys(envelopeSchema.shape);

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
