/** What there is to say of a table at the source: pure. */
import { formatBytes } from '../format.ts';
import { keyCandidates, mergeKeyCandidates } from '../schema/key-candidates.ts';
import { isUniqueBy, type Relation } from '../schema/relations.ts';
import { isAppend, rowKey } from '../schema/row-identity.ts';
import { createIndexOn, createUniqueIndexOn } from '../sql/inspect.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { isKeyedPlan, type KeyedPlan, type Plan } from '../sync/plan/plan.ts';
import { note, warning, type Finding } from './finding.ts';
import { OWN_WRITES } from '../sync/fence/fence.ts';
import { MANY, NO_SEQUENCES, type Inspection, type KeyInspection } from './inspect.ts';
import { lowKeyFindings } from './low-key-findings.ts';
import { writingFindings } from './writing-findings.ts';

export type Workable = Exclude<Plan, { kind: 'skip' } | { kind: 'refuse' }>;

export const sourceTableFindings = (table: TableFacts, plan: Workable, found: Inspection): Finding[] => [
  ...(isKeyedPlan(plan) ? [...lateFindings(table, plan), ...keyFindings(table, plan, found)] : []),
  ...(isKeyedPlan(plan) ? [] : refreshFindings(plan)),
  ...mergeKeyFindings(table, plan),
  ...widthFindings(table, plan),
  ...(isKeyedPlan(plan) ? writingFindings(table, plan, found) : []),
];

/** What a value that is stored elsewhere leaves in its row, of which a page of 8 kB has to hold one. */
const BYTES_OF_POINTER = 18;
const BYTES_OF_PAGE = 8160;

/** In a smaller table no row can be that long, compressed values apart. */
const MANY_BYTES = 100_000_000;

/** An enum takes 4 bytes where it is one, and as text as much as its label, or a pointer. */
function widthFindings({ settings, natives }: TableFacts, { source }: Workable): Finding[] {
  const asText = source.columns.filter(({ type, base }) => !base.isBuiltIn && !natives.carried.has(type));
  const [first] = asText;
  const bytes = source.columns.find(({ base }) => base.type === 'bytea');
  if (first && bytes && source.bytes > MANY_BYTES)
    return [
      warning(
        'ROW_SIZE',
        settings.name,
        `rows travel as text because of the type of "${first.name}", and "${bytes.name}" (bytea) takes twice its bytes as text: a row of more than 1 GB as text cannot be copied`,
        'If there are values of more than 500 MB, set "types" to "native" for this table, or leave a column out with "exclude_columns".',
      ),
    ];
  if (asText.length * BYTES_OF_POINTER <= BYTES_OF_PAGE) return [];
  return [
    warning(
      'ROW_SIZE',
      settings.name,
      `${asText.length} columns (${asText[0]?.name ?? ''}, ...) arrive as text, and take more room than at the source: a row with long values may be too big for a page`,
      'Set "types" to "native" for this table, or leave columns out with "exclude_columns".',
    ),
  ];
}

/** Transactions in flight are those of the source server now: not of another one, nor of when a view was refreshed. */
const lateFindings = ({ settings }: TableFacts, { source: { kind, hasForeignRows } }: Workable): Finding[] =>
  kind !== 'materialized view' && !hasForeignRows
    ? []
    : [
        warning(
          'LATE_VISIBILITY',
          settings.name,
          kind === 'materialized view'
            ? 'what was not committed yet when a materialized view was refreshed shows later: only lookback protects such rows'
            : 'rows of another server: its open transactions cannot be seen from here, so only lookback protects from late commits',
          'Set "lookback" longer than the longest transaction there, or run "increp verify" now and then.',
        ),
      ];

function keyFindings(
  table: TableFacts,
  { source, replicationKey: key, keyType }: KeyedPlan,
  found: Inspection,
): Finding[] {
  const { settings } = table;
  const { name, nullKeys } = settings;
  const counts = found.keys.get(table) ?? NOTHING_FOUND;
  return [
    ...(source.indexedColumns.includes(key) ||
    !['table', 'partitioned table', 'materialized view'].includes(source.kind)
      ? []
      : [
          warning(
            'KEY_NOT_INDEXED',
            name,
            `no index begins with "${key}", so each sync reads the whole table`,
            `At the source: ${createIndexOn(source, key)}`,
          ),
        ]),
    ...(counts.nullKeys > 0 && nullKeys === 'warn'
      ? [
          warning(
            'NULL_KEYS',
            name,
            `${rowsHave(counts.nullKeys)} no ${key} (NULL): changes to such rows go unseen`,
            'Fill the column and make it NOT NULL, or set null_keys to "include".',
          ),
        ]
      : []),
    ...(counts.futureKeys > 0
      ? [
          warning(
            'FUTURE_KEYS',
            name,
            `${rowsHave(counts.futureKeys)} ${key} ahead of the server's clock, and every sync reads such rows again`,
            'Correct those rows, or the clock that wrote them.',
          ),
        ]
      : []),
    ...lowKeyFindings({ name, key, source }, counts),
    ...(seesInserts(source, key, settings.mergeKey, counts.hasSequence)
      ? [
          note(
            'KEY_INSERT_ONLY',
            name,
            `"${key}" is given to a row once, it seems, so that new rows arrive and changes to old ones do not`,
            'Nothing, if rows never change. Else choose a column that every change sets, or "mode": "full-refresh".',
          ),
        ]
      : []),
    ...(keyType === 'date'
      ? [
          note(
            'KEY_DAY_GRANULARITY',
            name,
            `"${key}" tells days apart and no more, so each sync reads the last day again, and the days that lookback reaches`,
          ),
        ]
      : []),
    ...(keyType === 'timestamp' && settings.lookbackSeconds < 3600
      ? [
          note(
            'LOCAL_TIME',
            name,
            `"${key}" has no time zone; where it holds local time, clocks go back an hour once a year`,
            'If it is not in UTC, set "lookback" to "2h" or more.',
          ),
        ]
      : []),
  ];
}

export const NOTHING_FOUND: KeyInspection = {
  nullKeys: 0,
  futureKeys: 0,
  farAhead: undefined,
  isUncertain: false,
  origin: OWN_WRITES,
  ...NO_SEQUENCES,
};

/** A number that identifies the row cannot be set anew by a change, and one from a sequence is not. */
const seesInserts = (
  source: Relation,
  key: string,
  mergeKey: readonly string[],
  hasSequence: boolean,
): boolean =>
  hasSequence ||
  mergeKey.includes(key) ||
  keyCandidates(source, NO_HINTS).some(({ column, sees }) => column === key && sees === 'inserts');

/** Names and types alone. */
const NO_HINTS = { primaryKey: undefined, defaults: new Map<string, string>(), updateTriggers: [] };

/** Bytes from which on reading a table as a whole each time is worth a word. */
const MUCH = 100_000_000;

/** A table that is read as a whole each time, and need not be. */
function refreshFindings({ source }: Workable): Finding[] {
  if (source.bytes < MUCH) return [];
  const key = keyCandidates(source, NO_HINTS).find(({ sees }) => sees === 'changes');
  const mergeKey = mergeKeyCandidates(source, NO_HINTS).find(({ isEnforced }) => isEnforced);
  if (!key || !mergeKey) return [];
  return [
    note(
      'KEY_AVAILABLE',
      source.name.table,
      `${formatBytes(source.bytes)} are read each time, although "${key.column}" looks like a replication key`,
      `If every change sets "${key.column}", remove "mode" and set "replication_key": "${key.column}", "unique_cols": ${JSON.stringify(mergeKey.columns)}.`,
    ),
  ];
}

function rowsHave(rows: number): string {
  if (rows === 1) return '1 row has';
  return `${rows > MANY ? `more than ${MANY}` : rows} rows have`;
}

function mergeKeyFindings({ settings }: TableFacts, { source }: Workable): Finding[] {
  const columns = rowKey(settings).join(', ');
  return settings.mergeKey.length === 0 || isUniqueBy(source, rowKey(settings))
    ? []
    : [
        warning(
          'MERGE_KEY_NOT_ENFORCED',
          settings.name,
          `nothing at the source keeps (${columns}) unique and NOT NULL; of rows that share it only ${isAppend(settings) ? 'one' : 'the newest'} is kept`,
          mergeKeyStep(source, settings.mergeKey),
        ),
      ];
}

const mergeKeyStep = (source: Relation, mergeKey: readonly string[]): string =>
  source.kind === 'table' || source.kind === 'partitioned table'
    ? `Make them NOT NULL and unique, or choose other unique_cols. At the source: ${createUniqueIndexOn(source, mergeKey)}`
    : 'Choose columns as unique_cols that identify a row.';
