/** Judges what was inspected: pure. */
import type { IncrepError } from '../../errors.ts';
import { stagingName } from '../../schema/names.ts';
import { isUniqueBy } from '../../schema/relations.ts';
import { createIndexOn } from '../../sql/inspect.ts';
import type { TableFacts } from '../facts.ts';
import type { Plan } from '../plan.ts';
import type { Finding } from './finding.ts';
import { MANY, type Inspection } from './inspect.ts';

const warning = (code: string, table: string | undefined, message: string, action: string): Finding => ({
  level: 'warning',
  code,
  table,
  message,
  action,
});
const note = (code: string, table: string | undefined, message: string, action?: string): Finding => ({
  level: 'note',
  code,
  table,
  message,
  action,
});

export const failureFinding = (error: IncrepError, table?: string): Finding => ({
  level: 'error',
  code: error.code,
  table,
  message: error.message,
  action: error.next,
  exitCode: error.exitCode,
});

export function buildFindings(found: Inspection): Finding[] {
  return [...serverFindings(found), ...found.facts.tables.flatMap((table) => tableFindings(table, found))];
}

/** A second is ordinary; more makes `lookback` and ages misleading. */
const TOLERATED_SKEW_SECONDS = 2;

function serverFindings(found: Inspection): Finding[] {
  const { source, destination } = found.facts.servers;
  const version = (number: number) => `${Math.floor(number / 10_000)}.${number % 10_000}`;
  const tls = (isEncrypted: boolean) => (isEncrypted ? 'TLS' : 'no TLS');
  return [
    note(
      'SERVERS',
      undefined,
      `source: PostgreSQL ${version(source.version)}, ${tls(found.isEncrypted.source)}; destination: PostgreSQL ${version(destination.version)}, ${tls(found.isEncrypted.destination)}`,
    ),
    ...(source.isStandby
      ? [
          warning(
            'STANDBY',
            undefined,
            'the source is a standby, which hides the transactions of its primary: only lookback protects from late commits',
            'Replicate from the primary, or set "lookback" longer than the longest transaction there.',
          ),
        ]
      : []),
    ...(found.writeRefusal ? [failureFinding(found.writeRefusal)] : []),
    ...(found.writable.length > 0
      ? [
          warning(
            'SOURCE_ROLE_CAN_WRITE',
            undefined,
            `the source role may write to ${found.writable.join(', ')}`,
            'Give increp a role of its own with SELECT and nothing else.',
          ),
        ]
      : []),
    ...(Math.abs(found.clockSkewSeconds) > TOLERATED_SKEW_SECONDS
      ? [
          warning(
            'CLOCKS',
            undefined,
            `the clocks of the two servers are ${found.clockSkewSeconds.toFixed(1)} s apart`,
            'Let both follow NTP.',
          ),
        ]
      : []),
    ...found.longTransactions.map(({ who, seconds }) =>
      warning(
        'LONG_TRANSACTION',
        undefined,
        `${who} has had a transaction open at the source for ${Math.round(seconds)} s`,
        'Its rows arrive once it has ended; until then each run tells you about it.',
      ),
    ),
  ];
}

function tableFindings(table: TableFacts, found: Inspection): Finding[] {
  const plan = found.plans.get(table);
  const { name } = table.settings;
  if (!plan || plan.kind === 'skip') return [note('DISABLED', name, 'it is disabled')];
  if (plan.kind === 'refuse') return [failureFinding(plan.error, name)];
  return [
    ...lateFindings(plan),
    ...keyFindings(table, plan, found),
    ...mergeKeyFindings(table, plan),
    ...destinationFindings(table, plan),
  ];
}

type Workable = Exclude<Plan, { kind: 'skip' } | { kind: 'refuse' }>;

/** Transactions in flight are those of the source server now: not of another one, nor of when a view was refreshed. */
const lateFindings = ({ source: { name, kind, hasForeignRows } }: Workable): Finding[] =>
  kind !== 'materialized view' && !hasForeignRows
    ? []
    : [
        warning(
          'LATE_ROWS',
          name.table,
          kind === 'materialized view'
            ? 'what was not committed yet when a materialized view was refreshed shows later: only lookback protects such rows'
            : 'rows of another server: its open transactions cannot be seen from here, so only lookback protects from late commits',
          'Set "lookback" longer than the longest transaction there, or run "increp verify" now and then.',
        ),
      ];

function keyFindings({ settings }: TableFacts, { source, keyType }: Workable, found: Inspection): Finding[] {
  const { name, replicationKey: key, nullKeys } = settings;
  const counts = [...found.keys].find(([table]) => table.settings === settings)?.[1] ?? {
    nullKeys: 0,
    futureKeys: 0,
    cachedSequence: null,
  };
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
    ...(counts.cachedSequence === null
      ? []
      : [
          warning(
            'SEQUENCE_CACHE',
            name,
            `${counts.cachedSequence} hands numbers to sessions in advance, so a later transaction can write a lower ${key}, which is missed`,
            `At the source: ALTER SEQUENCE ${counts.cachedSequence} CACHE 1`,
          ),
        ]),
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

function rowsHave(rows: number): string {
  if (rows === 1) return '1 row has';
  return `${rows > MANY ? `more than ${MANY}` : rows} rows have`;
}

function mergeKeyFindings({ settings }: TableFacts, { source }: Workable): Finding[] {
  const columns = settings.mergeKey.join(', ');
  return isUniqueBy(source, settings.mergeKey)
    ? []
    : [
        warning(
          'MERGE_KEY_NOT_ENFORCED',
          settings.name,
          `nothing at the source keeps (${columns}) unique and NOT NULL; of rows that share it only the newest is kept`,
          'Add a unique index there, or choose other unique_cols.',
        ),
      ];
}

function destinationFindings(table: TableFacts, plan: Workable): Finding[] {
  const { settings, destination, saved, stagingName: staging } = table;
  const { name } = settings;
  return [
    ...(plan.kind === 'load' && plan.loader.why !== undefined
      ? [note('LOADER', name, `a load goes by COPY instead of pg_dump: ${plan.loader.why}`)]
      : []),
    ...(plan.action === 'reset'
      ? [warning('DRIFT', name, plan.reason, 'The next sync loads the table again.')]
      : []),
    ...(destination && saved.kind === 'none'
      ? [
          warning(
            'UNKNOWN_COPY',
            name,
            `"${settings.destinationName}" exists at the destination, but nothing is known of it`,
            'The next sync replaces its content. If it is not a copy, give this table another "dest_name".',
          ),
        ]
      : []),
    ...(saved.kind === 'legacy'
      ? [
          note(
            'LEGACY_STATE',
            name,
            `continues from the older state file (${saved.cursor})`,
            'Run "increp verify" after the first sync.',
          ),
        ]
      : []),
    ...('warnings' in saved
      ? saved.warnings.map((message) => warning('STATE', name, message, 'The next sync puts it right.'))
      : []),
    ...(staging.table === `${settings.destinationName}_stg`
      ? []
      : [
          note(
            'NAME_CUT',
            name,
            `its staging table is called "${stagingName(settings.destinationName)}", because names end at 63 bytes`,
          ),
        ]),
  ];
}
