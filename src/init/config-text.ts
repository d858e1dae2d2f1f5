/** Writes `tables-config.json` as a person would format it: pure. */
import { patternOf } from '../schema/patterns.ts';
import { isKeyed, type ChosenTable, type KeyedTable } from './choose-tables.ts';

export const SCHEMA_FILE = 'tables-config.schema.json';

/** Unchecked, as they are in a file. */
export interface DefaultKeys {
  readonly replication_key?: unknown;
  readonly unique_cols?: unknown;
}

/**
 * Options that most tables share are in the defaults. They are not shared if a table without keys would inherit them.
 */
export function tablesConfigText(tables: readonly ChosenTable[]): string {
  const keyed = tables.every(isKeyed) ? tables.filter(isKeyed) : [];
  const defaults: DefaultKeys = {
    ...shared(
      'replication_key',
      keyed.map(({ replicationKey }) => replicationKey),
    ),
    ...shared(
      'unique_cols',
      keyed.map(({ mergeKey }) => mergeKey),
    ),
  };
  const lines = tables.map((table) => `    ${inline(entryOf(table, defaults))}`);
  const head = Object.keys(defaults).length > 0 ? `  "defaults": ${inline(defaults)},\n` : '';
  return `{\n  "$schema": "./${SCHEMA_FILE}",\n${head}  "tables": [\n${lines.join(',\n')}\n  ]\n}\n`;
}

/** The value of more than half of the tables. With a single table, there are no defaults. */
function shared(name: keyof DefaultKeys, values: readonly unknown[]): DefaultKeys {
  const counts = new Map<string, number>();
  for (const value of values) {
    const text = JSON.stringify(value);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const most = [...counts].find(([, count]) => count > 1 && count * 2 > values.length);
  return most ? { [name]: JSON.parse(most[0]) as never } : {};
}

function entryOf(table: ChosenTable, defaults: DefaultKeys): object {
  const { name, mergeKey } = table;
  if (!isKeyed(table))
    return {
      name: patternOf(name),
      mode: 'full-refresh',
      ...(mergeKey.length > 0 && { unique_cols: mergeKey }),
    };
  const { replicationKey } = table;
  const isDefault = (key: keyof DefaultKeys, value: unknown) =>
    JSON.stringify(defaults[key]) === JSON.stringify(value);
  return {
    name: patternOf(name),
    ...(!isDefault('replication_key', replicationKey) && { replication_key: replicationKey }),
    ...(!isDefault('unique_cols', mergeKey) && { unique_cols: mergeKey }),
  };
}

/** The entry of a table that shares nothing with others. */
export const keyedEntry = (table: KeyedTable): string => entryText(table, {}, {});

/** The entry of a table beside these defaults, with more options. */
export const entryText = (table: ChosenTable, defaults: DefaultKeys, more: object): string =>
  inline({ ...entryOf(table, defaults), ...more });

/** On one line, with the spaces of prettier. */
function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${inline(member)}`);
  return `{ ${members.join(', ')} }`;
}

const IGNORED = [
  { line: '.env', isThere: /^\/?\.env\*?$/ },
  { line: 'sync-state/', isThere: /^\/?sync-state(\/\*{0,2})?$/ },
];

/** Adds the lines that .gitignore lacks; undefined if none is missing. */
export function gitignoreText(existing = ''): string | undefined {
  const lines = existing.split(/\r?\n/).map((line) => line.trim());
  const missing = IGNORED.filter(({ isThere }) => !lines.some((line) => isThere.test(line)));
  if (missing.length === 0) return undefined;
  const before = existing === '' || existing.endsWith('\n') ? existing : `${existing}\n`;
  return `${before}${missing.map(({ line }) => `${line}\n`).join('')}`;
}

/** The example file of a clone, which may be overwritten. */
const SAMPLE = {
  $schema: `./${SCHEMA_FILE}`,
  defaults: { replication_key: 'updated_at', unique_cols: ['id'] },
  tables: [
    { name: 'customers' },
    {
      name: 'order_items',
      dest_name: 'sales_order_items',
      unique_cols: ['order_id', 'line_number'],
      lookback: '1m',
      max_staleness: '1h',
    },
  ],
};

/** True for the unchanged tables-config.json of a clone. */
export function isSample(text: string): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify(SAMPLE);
  } catch {
    return false;
  }
}
