/** The tables-config.json of an existing pipeline: which tables it has, and its text with some added or removed. Pure. */
import { isObject, parseJson } from '../config/tables/json.ts';
import type { DefaultSchemas } from '../config/tables/raw-entry.ts';
import { destinationOf } from '../config/tables/table-mapping.ts';
import { isMatch, readPattern, starsOf } from '../schema/patterns.ts';
import { isKeyed, type ChosenTable } from './choose-tables.ts';
import { entryText, type DefaultKeys } from './config-text.ts';

export interface FormerConfig {
  readonly text: string;
  readonly entries: readonly FormerEntry[];
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Where the list of tables ends, before its closing bracket. */
  readonly end: number;
}

interface FormerEntry {
  readonly value: unknown;
  /** Its text, with the comma and the space before it. */
  readonly before: number;
  readonly start: number;
  readonly end: number;
}

/** Undefined if the text is not a list of tables. */
export function readFormerConfig(text: string): FormerConfig | undefined {
  const { value, fault } = { fault: undefined, value: undefined, ...parseJson(text) };
  if (fault) return undefined;
  const list = Array.isArray(value) ? blank(text, 0) : isObject(value) ? memberAt(text, 'tables') : undefined;
  if (list === undefined || text[list] !== '[') return undefined;
  const entries: FormerEntry[] = [];
  let before = list + 1;
  let start = blank(text, before);
  while (text[start] !== ']') {
    const end = valueEnd(text, start);
    entries.push({ value: JSON.parse(text.slice(start, end)) as unknown, before, start, end });
    before = end;
    start = blank(text, end);
    if (text[start] === ',') start = blank(text, start + 1);
  }
  const defaults = isObject(value) && isObject(value['defaults']) ? value['defaults'] : {};
  return { text, entries, defaults, end: before };
}

/** The first character that is not white space. */
const blank = (text: string, from: number): number =>
  from + (/^[ \t\r\n]*/.exec(text.slice(from))?.[0].length ?? 0);

const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{}]|[^"[\]{},:\s]+/gy;

/** The end of a value in valid JSON. */
function valueEnd(text: string, start: number): number {
  const token = new RegExp(TOKEN.source, 'g');
  token.lastIndex = start;
  let depth = 0;
  do {
    const [found = ''] = token.exec(text) ?? [];
    if (found === '[' || found === '{') depth += 1;
    else if (found === ']' || found === '}') depth -= 1;
    else if (found === '') return text.length;
  } while (depth > 0);
  return token.lastIndex;
}

/** Where the value of this key of the document begins. */
function memberAt(text: string, key: string): number | undefined {
  let at = blank(text, blank(text, 0) + 1);
  while (text[at] === '"') {
    const end = valueEnd(text, at);
    const value = blank(text, blank(text, end) + 1);
    if (JSON.parse(text.slice(at, end)) === key) return value;
    at = blank(text, valueEnd(text, value));
    if (text[at] === ',') at = blank(text, at + 1);
  }
  return undefined;
}

export interface ConfiguredTables {
  /** Tables with an entry of their own. */
  readonly named: readonly string[];
  /** The other tables that a pattern selects. */
  readonly matched: readonly string[];
  /** Names of entries without a table at the source. */
  readonly gone: readonly string[];
  /** Columns of keys that the table at the source does not have. */
  readonly lost: readonly LostColumn[];
  /** Whether it has queries, or tables of another schema. */
  readonly hasOthers: boolean;
}

export interface LostColumn {
  readonly table: string;
  readonly option: 'replication_key' | 'unique_cols';
  readonly column: string;
}

interface SourceTable {
  readonly name: string;
  readonly columns: readonly string[];
}

export interface SchemaChoice {
  /** The schema of the tables. */
  readonly schema: string;
  /** SOURCE_SCHEMA of the pipeline, for entries without a schema. */
  readonly home: string;
}

/** Of these tables of one schema of the source. */
export function configuredAmong(
  former: FormerConfig,
  schema: SchemaChoice,
  tables: readonly SourceTable[],
): ConfiguredTables {
  const names = tables.map(({ name }) => name);
  const patterns = former.entries.flatMap((entry) => patternIn(former, entry, schema) ?? []);
  const isIn = (table: string, hasStars: boolean) =>
    patterns.some((pattern) => starsOf(pattern) > 0 === hasStars && isMatch(pattern, table));
  const named = names.filter((name) => isIn(name, false));
  const written = tablesIn(former, schema);
  return {
    named,
    matched: names.filter((name) => !named.includes(name) && isIn(name, true)),
    gone: written.flatMap(({ name }) => (names.includes(name) ? [] : [name])),
    lost: written.flatMap((entry) =>
      lostColumns(
        entry,
        tables.find(({ name }) => name === entry.name),
      ),
    ),
    hasOthers: former.entries.some((entry) => isOther(former, entry, schema)),
  };
}

/** Whether it is the entry of a query, or of another schema. */
const isOther = (former: FormerConfig, entry: FormerEntry, schema: SchemaChoice): boolean =>
  isObject(entry.value) &&
  entry.value['enabled'] !== false &&
  (entry.value['query'] !== undefined || patternIn(former, entry, schema) === undefined);

interface WrittenTable {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** The enabled entries of single tables. A query is no table of the source. */
function tablesIn(former: FormerConfig, schema: SchemaChoice): readonly WrittenTable[] {
  return former.entries.flatMap((entry) => {
    const pattern = patternIn(former, entry, schema);
    const options = { ...former.defaults, ...(isObject(entry.value) ? entry.value : {}) };
    const isTable =
      pattern !== undefined &&
      starsOf(pattern) === 0 &&
      options['query'] === undefined &&
      options['enabled'] !== false;
    return isTable ? [{ name: pattern.parts.join(''), options }] : [];
  });
}

/** Mode full-refresh needs no key. */
function lostColumns({ name, options }: WrittenTable, table: SourceTable | undefined): LostColumn[] {
  if (!table || options['mode'] === 'full-refresh') return [];
  return (['replication_key', 'unique_cols'] as const).flatMap((option) =>
    [options[option]]
      .flat()
      .filter((column) => typeof column === 'string')
      .filter((column) => !table.columns.includes(column))
      .map((column) => ({ table: name, option, column })),
  );
}

function patternIn(former: FormerConfig, { value }: FormerEntry, { schema, home }: SchemaChoice) {
  if (!isObject(value) || typeof value['name'] !== 'string') return undefined;
  return schemaIn(former, value, home) === schema ? readPattern(value['name']) : undefined;
}

const schemaIn = ({ defaults }: FormerConfig, entry: Record<string, unknown>, home: string): unknown =>
  entry['schema'] ?? defaults['schema'] ?? home;

/** The schemas of the source that the entries name. */
export const schemasOf = (former: FormerConfig, home: string): ReadonlySet<unknown> =>
  new Set(former.entries.flatMap(({ value }) => (isObject(value) ? [schemaIn(former, value, home)] : [])));

interface EntryChanges {
  /** Where the tables are. */
  readonly source: string;
  readonly destination: string;
  /** The schemas of entries that name none. */
  readonly homes: DefaultSchemas;
  readonly added: readonly ChosenTable[];
  readonly removed: readonly string[];
}

/** The text of every other entry stays as it is. */
export function changedConfigText(former: FormerConfig, changes: EntryChanges): string {
  const { text, entries, defaults, end } = former;
  const { added, removed } = changes;
  const schema = { schema: changes.source, home: changes.homes.source.schema };
  const isRemoved = (entry: FormerEntry) => {
    const pattern = patternIn(former, entry, schema);
    return pattern !== undefined && starsOf(pattern) === 0 && removed.includes(pattern.parts.join(''));
  };
  if (added.length === 0 && !entries.some(isRemoved)) return text;
  const [first] = entries;
  const lead = first ? text.slice(first.before, first.start) : '\n    ';
  const kept = entries.filter((entry) => !isRemoved(entry));
  const texts = [
    ...kept.map((entry, index) => ({
      before: index === 0 ? lead : text.slice(entry.before, entry.start),
      body: text.slice(entry.start, entry.end),
    })),
    ...added.map((table, index) => ({
      before: kept.length + index === 0 ? lead : `,${lead === '' ? ' ' : lead}`,
      body: entryText(table, keysIn(defaults), moreOf(table, defaults, changes)),
    })),
  ];
  const list = texts.map(({ before, body }) => `${before}${body}`).join('');
  const from = first?.before ?? end;
  return `${text.slice(0, from)}${list}${first ? '' : '\n  '}${text.slice(end)}`;
}

const keysIn = (defaults: FormerConfig['defaults']): DefaultKeys => ({
  replication_key: defaults['replication_key'],
  unique_cols: defaults['unique_cols'],
});

/** What an entry needs because of other defaults. */
function moreOf(
  table: ChosenTable,
  defaults: FormerConfig['defaults'],
  { source, destination, homes }: EntryChanges,
): object {
  const usual = destinationOf(homes.destination, {
    source: { schema: source },
    destinationSchema: textIn(defaults, 'dest_schema'),
    destinationTable: table.name,
  });
  return {
    ...(isKeyed(table) && defaults['mode'] === 'full-refresh' && { mode: 'incremental-deduped' }),
    ...((textIn(defaults, 'schema') ?? homes.source.schema) !== source && { schema: source }),
    ...(usual.schema !== destination && { dest_schema: destination }),
  };
}

function textIn(defaults: FormerConfig['defaults'], key: string): string | undefined {
  const value = defaults[key];
  return typeof value === 'string' ? value : undefined;
}
