/** Findings about a source table: pure. */
import { formatBytes } from '../format.ts';
import { missedTexts, otherKeyStep, unenforcedKeyText } from '../report/key-texts.ts';
import { findsDeleted } from '../schema/deleted-rows.ts';
import type { TableSettings } from '../config/settings.ts';
import {
  isNamedForWrites,
  isVersioned,
  keyCandidates,
  mergeKeyCandidates,
  missedBy,
  NO_HINTS,
  versionedStep,
  versionedText,
  type Missed,
} from '../schema/key-candidates.ts';
import type { KeyType } from '../schema/keys.ts';
import { atSource, takesIndex, uniqueIndexOn, type Relation } from '../schema/relations.ts';
import { isAppend, isKeyEnforced, keyOfRows, rowKey } from '../schema/row-identity.ts';
import { ident, qualified } from '../sql/identifiers.ts';
import { createIndexOn, createUniqueIndexOn, duplicatesIn } from '../sql/inspect.ts';
import { sourceColumn } from '../schema/selection.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { keysAtSource } from '../sync/facts/keys-at-source.ts';
import { SMALL_BYTES } from '../sync/plan/loader-choice.ts';
import { isKeyedPlan, type KeyedPlan, type Plan } from '../sync/plan/plan.ts';
import { note, warning, type Finding } from './finding.ts';
import { OWN_WRITES } from '../sync/fence/fence.ts';
import type { Inspection } from './inspect.ts';
import { MANY, NO_SEQUENCES, type KeyInspection } from './inspect-keys.ts';
import { lowKeyFindings } from './low-key-findings.ts';
import { modeFindings } from './mode-findings.ts';
import { readAgainFindings } from './read-again-findings.ts';

export type Workable = Exclude<Plan, { kind: 'skip' } | { kind: 'refuse' }>;

export function sourceTableFindings(table: TableFacts, plan: Workable, found: Inspection): Finding[] {
  const { settings } = table;
  const there = {
    ...table,
    settings: { ...settings, ...keysAtSource(settings) },
    counts: found.keys.get(table) ?? NOTHING_FOUND,
  };
  const source = atSource(plan.source, settings.selection);
  return [
    ...(isKeyedPlan(plan)
      ? [
          ...lateFindings(there, plan),
          ...readAgainFindings(table, plan),
          ...keyFindings(
            there,
            { ...plan, source, replicationKey: sourceColumn(settings.selection, plan.replicationKey) },
            found,
          ),
        ]
      : []),
    ...(isKeyedPlan(plan) ? [] : refreshFindings({ source })),
    ...mergeKeyFindings(there, { source }, found.duplicated.has(table)),
    ...widthFindings(there, { source }),
    ...(found.hasLargeObjects ? largeObjectFindings(there, { source }) : []),
    ...(isKeyedPlan(plan) ? modeFindings(table, plan, found) : []),
  ];
}

/** Bytes that an out-of-line value leaves in its row. A page of 8 kB must hold the row. */
const BYTES_OF_POINTER = 18;
const BYTES_OF_PAGE = 8160;

/** A number of a large object is of no use at the destination, where the object does not exist. */
function largeObjectFindings(
  { settings: { name } }: TableFacts,
  { source }: Pick<Workable, 'source'>,
): Finding[] {
  const columns = source.columns
    .filter(({ base }) => base.type === 'oid')
    .map((column) => `"${column.name}"`);
  return columns.length === 0
    ? []
    : [
        warning(
          'LARGE_OBJECTS',
          name,
          `the source has large objects, and ${columns.join(', ')} may refer to them: increp copies these numbers, but not the content`,
          'If the content matters, store it in a bytea column at the source, or exclude the column with "exclude_columns".',
        ),
      ];
}

/** In a smaller table, no row can be that long, except for compressed values. */
const MANY_BYTES = 100_000_000;

/** An enum value takes 4 bytes. As text, it takes the length of its label, or a pointer. */
function widthFindings({ settings, natives }: TableFacts, { source }: Pick<Workable, 'source'>): Finding[] {
  const asText = source.columns.filter(({ type, base }) => !base.isBuiltIn && !natives.carried.has(type));
  const [first] = asText;
  const bytes = source.columns.find(({ base }) => base.type === 'bytea');
  if (first && bytes && source.bytes > MANY_BYTES)
    return [
      warning(
        'ROW_SIZE',
        settings.name,
        `rows are copied as text because of the type of "${first.name}"; as text, "${bytes.name}" (bytea) is twice as long, and a row above 1 GB cannot be copied`,
        'If there are values of more than 500 MB, set "types" to "native" for this table, or exclude a column with "exclude_columns".',
      ),
    ];
  if (asText.length * BYTES_OF_POINTER <= BYTES_OF_PAGE) return [];
  return [
    warning(
      'ROW_SIZE',
      settings.name,
      `${asText.length} columns (${asText[0]?.name ?? ''}, ...) are copied as text and need more space than at the source, so a row with long values may not fit into a page`,
      'Set "types" to "native" for this table, or exclude columns with "exclude_columns".',
    ),
  ];
}

/**
 * The open transactions are those of the source server now: not of another server, nor of the time when a view was
 * refreshed.
 */
const lateFindings = (
  { settings }: TableFacts,
  { source: { kind, hasForeignRows, keptBy } }: Workable,
): Finding[] =>
  kind !== 'materialized view' && !hasForeignRows && keptBy !== 'Citus'
    ? []
    : [
        warning(
          'LATE_VISIBILITY',
          settings.name,
          kind === 'materialized view'
            ? 'rows that were not committed when the materialized view was refreshed appear later, and only lookback finds them'
            : `the rows ${kind === 'partitioned table' ? 'of foreign partitions ' : ''}are on another server whose open transactions are not visible, so only lookback finds late commits`,
          'Set "lookback" longer than the longest transaction there, or run regularly: "increp verify".',
        ),
      ];

function keyFindings(
  table: TableAtSource,
  { source, replicationKey: key, keyType }: KeyedPlan,
  found: Inspection,
): Finding[] {
  const { settings, counts } = table;
  const { name, nullKeys } = settings;
  return [
    ...indexFindings(name, { source, key }),
    ...(counts.nullKeys > 0 && nullKeys === 'warn'
      ? [
          warning(
            'NULL_KEYS',
            name,
            `${rowsHave(counts.nullKeys)} no ${key} (NULL), so new rows without it, and changes of these rows, are not copied`,
            'Fill the column and make it NOT NULL, or set null_keys to "include".',
          ),
        ]
      : []),
    ...(counts.futureKeys > 0
      ? [
          warning(
            'FUTURE_KEYS',
            name,
            `${rowsHave(counts.futureKeys)} ${key} ahead of the server clock, so every sync reads these rows again`,
            'Correct these rows, or the clock of the application that wrote them.',
          ),
        ]
      : []),
    ...lowKeyFindings({ name, key, source }, counts),
    ...(!findsDeleted(settings) && isVersioned(keyCandidates(source, NO_HINTS), key, settings.mergeKey)
      ? [warning('KEY_IN_UNIQUE_COLS', name, versionedText(key), versionedStep(key, settings.mergeKey))]
      : insertOnlyFindings(settings, missedBy(source, key, settings.mergeKey, counts.hasSequence), key)),
    ...withoutTrigger(table, { source, key, keyType }, { counts, found }),
    ...(keyType === 'date'
      ? [
          note(
            'KEY_DAY_GRANULARITY',
            name,
            `"${key}" is a date, so each sync reads the last day and the days of lookback again`,
          ),
        ]
      : []),
    ...(keyType === 'timestamp' && settings.lookbackSeconds < 3600
      ? [
          note(
            'LOCAL_TIME',
            name,
            `"${key}" has no time zone; if it holds local time, it goes back one hour each year`,
            'If it is not UTC, set "lookback" to "2h" or more.',
          ),
        ]
      : []),
  ];
}

const insertOnlyFindings = (settings: TableSettings, missed: Missed | undefined, key: string): Finding[] => {
  if (!missed) return [];
  const { what, step } = missedTexts(key, missed);
  const level = missed === 'updates' && isAppend(settings) ? note : warning;
  return [level('KEY_INSERT_ONLY', settings.name, what, step)];
};

/** The scan of a small table costs no more than the index. The catalog does not know the size before the first ANALYZE. */
function indexFindings(name: string, { source, key }: Pick<TimeKey, 'source' | 'key'>): Finding[] {
  if (source.indexedColumns.includes(key) || !takesIndex(source)) return [];
  const what = `no index begins with "${key}", so each sync reads the whole table`;
  const step = `run at the source: ${createIndexOn(source, key)}`;
  return source.bytes <= SMALL_BYTES
    ? [
        note(
          'KEY_NOT_INDEXED',
          name,
          what,
          `If the table is larger than ${formatBytes(SMALL_BYTES)}, or becomes so, ${step}`,
        ),
      ]
    : [warning('KEY_NOT_INDEXED', name, what, `To read only the changes, ${step}`)];
}

/** With the names of the source. */
interface TableAtSource extends TableFacts {
  readonly counts: KeyInspection;
}

interface TimeKey {
  readonly source: Relation;
  readonly key: string;
  readonly keyType: KeyType;
}

/** A default is set only at an insert, so an update needs a trigger, or an application that sets the column. */
const withoutTrigger = (
  { settings: { name, mergeKey } }: TableFacts,
  { source, key, keyType }: TimeKey,
  { counts, found }: { readonly counts: KeyInspection; readonly found: Inspection },
): Finding[] =>
  keyType === 'integer' ||
  !found.withoutUpdateTrigger.has(source.oid) ||
  missedBy(source, key, mergeKey, counts.hasSequence)
    ? []
    : [
        note(
          'KEY_WITHOUT_TRIGGER',
          name,
          isNamedForWrites(key)
            ? `no trigger sets "${key}", so increp misses an update by an application that does not set it`
            : `no trigger sets "${key}", so increp misses an update or a new row by an application that does not set it to the present time`,
          `If every application sets the column, no action is needed. Otherwise create a trigger at the source ("increp help 'Index and trigger for the replication key'").`,
        ),
      ];

export const NOTHING_FOUND: KeyInspection = {
  nullKeys: 0,
  futureKeys: 0,
  farAhead: undefined,
  isUncertain: false,
  origin: OWN_WRITES,
  ...NO_SEQUENCES,
};

/** Above this size, a finding suggests a replication key. */
const MUCH = 100_000_000;

/** A table that is read completely each time, although it has a possible replication key. */
function refreshFindings({ source }: Pick<Workable, 'source'>): Finding[] {
  if (source.bytes < MUCH) return [];
  const key = keyCandidates(source, NO_HINTS).find(({ sees }) => sees === 'changes');
  const mergeKey = mergeKeyCandidates(source, NO_HINTS).find(({ isEnforced }) => isEnforced);
  if (!key || !mergeKey) return [];
  return [
    note(
      'KEY_AVAILABLE',
      source.name.table,
      `each sync reads ${formatBytes(source.bytes)}, although "${key.column}" looks like a replication key`,
      `If every change sets "${key.column}", remove "mode" and set "replication_key": "${key.column}", "unique_cols": ${JSON.stringify(mergeKey.columns)}.`,
    ),
  ];
}

function rowsHave(rows: number): string {
  if (rows === 1) return '1 row has';
  return `${rows > MANY ? `more than ${MANY}` : rows} rows have`;
}

function mergeKeyFindings(
  { settings }: TableFacts,
  { source }: Pick<Workable, 'source'>,
  isDuplicated: boolean,
): Finding[] {
  return isKeyEnforced(settings, source)
    ? []
    : [
        warning(
          'MERGE_KEY_NOT_ENFORCED',
          settings.name,
          unenforcedKeyText(keyOfRows(settings, source)),
          isDuplicated ? duplicatesStep(source, settings) : mergeKeyStep(source, settings),
        ),
      ];
}

type KeySettings = Pick<TableSettings, 'mode' | 'mergeKey' | 'replicationKey'>;

/** A unique index would fail. */
function duplicatesStep(source: Relation, settings: KeySettings): string {
  const found = 'The last comparison found rows of the source with the same key.';
  return source.kind === 'query'
    ? `${found} ${CHOOSE_KEY}`
    : `${found} ${otherKeyStep(source, settings.replicationKey) ?? 'Set other unique_cols'}, or delete these rows first. To see their keys, run at the source: ${duplicatesIn(source, rowKey(settings))}`;
}

/** Postgres cannot enforce each key. A statement that it would refuse, or that would not help, is not printed. */
function mergeKeyStep(source: Relation, settings: KeySettings): string {
  const { kind, partitions } = source;
  const { replicationKey } = settings;
  const key = rowKey(settings);
  if (kind === 'materialized view' && uniqueIndexOn(source, key))
    return 'The columns have a unique index. If no row has NULL there, no action is needed.';
  if (kind !== 'table' && kind !== 'partitioned table') return IF_UNIQUE;
  if (kind === 'table' && source.hasChildren)
    return `No index covers both a table and its child tables. ${IF_UNIQUE}`;
  if (uniqueIndexOn(source, key))
    return `The columns have a unique index but may be NULL. If no row has NULL there, run at the source: ${setNotNull(source, key)}`;
  const otherKey = otherKeyStep(source, replicationKey);
  const either =
    otherKey === undefined
      ? 'Make the columns NOT NULL and unique, or choose other unique_cols.'
      : `${otherKey}; the next sync loads the table again. Or make (${key.join(', ')}) NOT NULL and unique.`;
  const missing = partitions?.keys.filter((column) => column === null || !key.includes(column)) ?? [];
  if (missing.includes(null) || (kind === 'partitioned table' && source.hasForeignRows))
    return `Postgres has no unique index for a table with ${missing.includes(null) ? 'an expression as its partition key' : 'partitions on other servers'}. ${IF_UNIQUE}`;
  if (missing.length > 0)
    return `Postgres can enforce uniqueness of a partitioned table only with its partition columns. If no two rows have the same key and none has NULL there, no action is needed. Otherwise, add ${missing.map((column) => `"${column}"`).join(' and ')} to unique_cols${replicationKey !== undefined && missing.includes(replicationKey) ? '; then each update of a row adds a row' : ''}.`;
  const optional =
    optionalIn(source, key).length === 0
      ? ''
      : `;\nIf no row has NULL there, also run: ${setNotNull(source, key)}`;
  return source.keptBy === null
    ? `${either} This query shows keys that several rows have: ${duplicatesIn(source, key)};\nIf it shows none, run at the source: ${createUniqueIndexOn(source, key)}${optional}`
    : `${either} A unique index must contain the columns by which ${source.keptBy} divides the table.`;
}

const optionalIn = ({ columns }: Relation, key: readonly string[]): readonly string[] =>
  key.filter((name) => !columns.some((column) => column.name === name && column.isNotNull));

const setNotNull = (source: Relation, key: readonly string[]): string =>
  `ALTER TABLE ${qualified(source.name)} ${optionalIn(source, key)
    .map((column) => `ALTER ${ident(column)} SET NOT NULL`)
    .join(', ')}`;

const CHOOSE_KEY = 'Set unique_cols to columns that identify a row.';
const IF_UNIQUE = `If no two rows have the same key and none has NULL there, no action is needed. Otherwise, set unique_cols to other columns.`;
