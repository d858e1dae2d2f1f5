/** Defines the metrics and their values after a run. Pure; units are seconds, bytes and rows. */
import type { RunSummary } from '../../events.ts';
import { labelOf } from '../../format.ts';
import { completeAt, type AgeEvidence } from '../../schema/data-age.ts';
import type { StateRecord } from '../../schema/state-record.ts';
import { newTableCounters, type TableCounters, type Counters } from '../../schema/counters.ts';
import { runSeconds } from '../../report/summary-json.ts';
import type { Family, Sample } from './exposition.ts';

export interface TableMetrics {
  readonly name: string;
  /** Undefined if the pipeline has one destination. */
  readonly destination?: string;
  readonly maxStalenessSeconds: number | undefined;
  readonly warnStalenessSeconds: number | undefined;
  /** Whether a comparison found differences, and no later one found the table equal. */
  readonly isDifferent: boolean;
  readonly isRefreshPending: boolean;
  /** The state of the last sync. */
  readonly record: (AgeEvidence & Pick<StateRecord, 'syncedAt'>) | undefined;
}

export interface Metrics {
  readonly version: string;
  readonly summary: RunSummary;
  readonly exitCode: number;
  /** Undefined if the destination cannot be read. Then the metrics about its data are absent. */
  readonly counters: Counters | undefined;
  /** In the order of the configuration. */
  readonly tables: readonly TableMetrics[];
}

const secondsOf = (moment: Date | string | null | undefined): number | undefined =>
  moment === null || moment === undefined ? undefined : new Date(moment).getTime() / 1000;

/** Rounds to milliseconds, because a subtraction leaves more digits. */
const inMicroseconds = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : Math.round(seconds * 1e6) / 1e6;

export const familiesOf = (metrics: Metrics): Family[] => [
  ...runFamilies(metrics),
  ...tableFamilies(metrics),
];

function runFamilies({ summary, exitCode, counters, version }: Metrics): Family[] {
  const labels = { pipeline: summary.pipeline };
  const gauge = (name: string, help: string, value: number | undefined): Family => ({
    name,
    help,
    type: 'gauge',
    samples: [{ labels, value }],
  });
  const isDone = summary.status === 'ok';
  return [
    {
      ...gauge('increp_build_info', 'The version of increp that wrote this file.', 1),
      samples: [{ labels: { ...labels, version }, value: 1 }],
    },
    gauge(
      'increp_last_run_timestamp_seconds',
      'When the last run ended, whether it succeeded or failed.',
      secondsOf(summary.finishedAt),
    ),
    gauge('increp_last_run_duration_seconds', 'Duration of the last run.', runSeconds(summary)),
    gauge(
      'increp_last_run_success',
      '1 if the last run succeeded, 0 if it or one of its tables failed.',
      isDone ? 1 : 0,
    ),
    gauge(
      'increp_last_run_exit_code',
      'Exit code of the last run; 75 if another run held the lock of a table.',
      exitCode,
    ),
    gauge(
      'increp_last_run_tables_deferred',
      'Tables that the last run deferred because of its time limit (--max-duration).',
      summary.tables.filter(({ isDeferred }) => isDeferred).length,
    ),
    {
      name: 'increp_errors_total',
      help: 'Errors of tables, and of runs that ended before the first table, by error code.',
      type: 'counter',
      samples: (counters?.errors ?? []).map(({ code, count }) => ({
        labels: { ...labels, code },
        value: count,
      })),
    },
    gauge(
      'increp_last_success_timestamp_seconds',
      'When a run last ended without a failure. Deferred tables are not failures.',
      secondsOf(isDone ? summary.finishedAt : counters?.lastSuccessAt),
    ),
  ];
}

/** The values of one table at the end of a run. */
interface TableView extends TableMetrics {
  readonly labels: Readonly<Record<string, string>>;
  readonly counters: TableCounters | undefined;
  readonly endedAt: Date;
}

function tableFamilies({ summary, counters, tables }: Metrics): Family[] {
  const views = tables.map((table): TableView => {
    const label = labelOf(table);
    const found = counters?.tables.find(({ name }) => name === label);
    return {
      ...table,
      labels: {
        pipeline: summary.pipeline,
        ...(table.destination !== undefined && { destination: table.destination }),
        table: table.name,
      },
      counters: found ?? (counters && newTableCounters(label)),
      endedAt: summary.finishedAt,
    };
  });
  return TABLE_FAMILIES.map(({ samplesOf, ...family }) => ({ ...family, samples: views.flatMap(samplesOf) }));
}

interface TableFamily extends Omit<Family, 'samples'> {
  readonly samplesOf: (view: TableView) => readonly Sample[];
}

const plain =
  (value: (view: TableView) => number | undefined): TableFamily['samplesOf'] =>
  (view) => [{ labels: view.labels, value: value(view) }];

const byOperation: TableFamily['samplesOf'] = ({ labels, counters }) =>
  (
    [
      ['inserted', counters?.rowsInserted],
      ['updated', counters?.rowsUpdated],
      ['deleted', counters?.rowsDeleted],
      ['unchanged', counters?.rowsUnchanged],
    ] as const
  ).map(([operation, value]) => ({ labels: { ...labels, operation }, value }));

const byResolution: TableFamily['samplesOf'] = ({ labels, counters }) =>
  counters?.conflicts
    ? Object.entries(counters.conflicts).map(([resolution, value]) => ({
        labels: { ...labels, resolution },
        value,
      }))
    : [];

const completeTo = ({ record, counters, endedAt }: TableView): Date | undefined => {
  const unchangedAt = counters?.unchangedAt ?? undefined;
  return record && completeAt(record, endedAt, unchangedAt === undefined ? undefined : new Date(unchangedAt));
};

function lagOf(view: TableView): number | undefined {
  const complete = completeTo(view);
  return complete && Math.max(0, view.endedAt.getTime() - complete.getTime()) / 1000;
}

const TABLE_FAMILIES: readonly TableFamily[] = [
  {
    name: 'increp_table_last_success_timestamp_seconds',
    help: 'When the table was last synced successfully.',
    type: 'gauge',
    samplesOf: plain(({ counters, record }) => secondsOf(counters?.lastSuccessAt ?? record?.syncedAt)),
  },
  {
    name: 'increp_table_complete_timestamp_seconds',
    help: 'The time up to which the destination table is known to be complete.',
    type: 'gauge',
    samplesOf: plain((view) => secondsOf(completeTo(view))),
  },
  {
    name: 'increp_table_lag_seconds',
    help: 'Age of the data in the destination table at the end of the last run.',
    type: 'gauge',
    samplesOf: plain(lagOf),
  },
  {
    name: 'increp_table_different',
    help: '1 if a comparison found differences, otherwise 0.',
    type: 'gauge',
    samplesOf: plain(({ isDifferent }) => (isDifferent ? 1 : 0)),
  },
  {
    name: 'increp_table_refresh_pending',
    help: '1 if a requested full refresh has not loaded the table, otherwise 0.',
    type: 'gauge',
    samplesOf: plain(({ isRefreshPending }) => (isRefreshPending ? 1 : 0)),
  },
  {
    name: 'increp_table_max_staleness_seconds',
    help: 'Allowed age of the destination table: max_staleness in tables-config.json.',
    type: 'gauge',
    samplesOf: plain(({ maxStalenessSeconds }) => maxStalenessSeconds),
  },
  {
    name: 'increp_table_warn_staleness_seconds',
    help: 'Age of the destination table from which a warning is due: warn_staleness in tables-config.json.',
    type: 'gauge',
    samplesOf: plain(({ warnStalenessSeconds }) => warnStalenessSeconds),
  },
  {
    name: 'increp_table_consecutive_failures',
    help: 'Failed runs since the last success.',
    type: 'gauge',
    samplesOf: plain(({ counters }) => counters?.failures),
  },
  {
    name: 'increp_table_duration_seconds',
    help: 'Duration of the last sync of the table.',
    type: 'gauge',
    samplesOf: plain(({ counters }) => inMicroseconds(counters?.durationSeconds ?? undefined)),
  },
  {
    name: 'increp_table_rows_total',
    help: 'Rows of the destination table that were inserted, updated, deleted or found unchanged.',
    type: 'counter',
    samplesOf: byOperation,
  },
  {
    name: 'increp_conflicts_total',
    help: 'Rows that the source and others changed, by the row that won (conflict_log in tables-config.json).',
    type: 'counter',
    samplesOf: byResolution,
  },
  {
    name: 'increp_table_rows_read_total',
    help: 'Rows that were read from the source.',
    type: 'counter',
    samplesOf: plain(({ counters }) => counters?.rowsRead),
  },
  {
    name: 'increp_table_bytes_total',
    help: 'Bytes of COPY data that left the source.',
    type: 'counter',
    samplesOf: plain(({ counters }) => counters?.bytes),
  },
];
