/** Which metrics there are, and what they say after a run: pure. Seconds, bytes, rows. */
import type { RunSummary } from '../../events.ts';
import { labelOf } from '../../format.ts';
import { newTableCounters, type TableCounters, type Counters } from '../../schema/counters.ts';
import { runSeconds } from '../../report/summary-json.ts';
import type { Family, Sample } from './exposition.ts';

export interface TableMetrics {
  readonly name: string;
  /** Undefined where the pipeline has one. */
  readonly destination?: string;
  readonly maxStalenessSeconds: number | undefined;
  /** The moment up to which the copy is known to hold everything. */
  readonly completeAt: Date | undefined;
  /** When its state was saved last; serves where nothing was counted yet. */
  readonly syncedAt: Date | undefined;
}

export interface Metrics {
  readonly version: string;
  readonly summary: RunSummary;
  readonly exitCode: number;
  /** Undefined where it cannot be read: then nothing is said of what it holds. */
  readonly counters: Counters | undefined;
  /** In the order of the configuration. */
  readonly tables: readonly TableMetrics[];
}

const secondsOf = (moment: Date | string | null | undefined): number | undefined =>
  moment === null || moment === undefined ? undefined : new Date(moment).getTime() / 1000;

/** Seconds without the digits that subtraction leaves behind. */
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
      ...gauge('increp_build_info', 'The version of increp that wrote this.', 1),
      samples: [{ labels: { ...labels, version }, value: 1 }],
    },
    gauge(
      'increp_last_run_timestamp_seconds',
      'When the last run ended, whatever came of it.',
      secondsOf(summary.finishedAt),
    ),
    gauge('increp_last_run_duration_seconds', 'How long the last run took.', runSeconds(summary)),
    gauge(
      'increp_last_run_success',
      '1 if nothing in the last run failed, 0 if something did.',
      isDone ? 1 : 0,
    ),
    gauge(
      'increp_last_run_exit_code',
      'What the last run exited with; 75 when another run held a table.',
      exitCode,
    ),
    gauge(
      'increp_last_run_tables_deferred',
      'Tables that the last run deferred to the next one, because its time limit (--max-duration) was over.',
      summary.tables.filter(({ isDeferred }) => isDeferred).length,
    ),
    gauge(
      'increp_last_success_timestamp_seconds',
      'When a run last did everything it was asked for and had time for.',
      secondsOf(isDone ? summary.finishedAt : counters?.lastSuccessAt),
    ),
  ];
}

/** What is known of one table when the run has ended. */
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

const lagOf = ({ completeAt, endedAt }: TableView): number | undefined =>
  completeAt && Math.max(0, endedAt.getTime() - completeAt.getTime()) / 1000;

const TABLE_FAMILIES: readonly TableFamily[] = [
  {
    name: 'increp_table_last_success_timestamp_seconds',
    help: 'When the table was last synced.',
    type: 'gauge',
    samplesOf: plain(({ counters, syncedAt }) => secondsOf(counters?.lastSuccessAt ?? syncedAt)),
  },
  {
    name: 'increp_table_complete_timestamp_seconds',
    help: 'The moment up to which the copy is known to hold everything.',
    type: 'gauge',
    samplesOf: plain(({ completeAt }) => secondsOf(completeAt)),
  },
  {
    name: 'increp_table_lag_seconds',
    help: 'Age of the data of the copy when the last run ended.',
    type: 'gauge',
    samplesOf: plain(lagOf),
  },
  {
    name: 'increp_table_max_staleness_seconds',
    help: 'How old the copy may be: max_staleness in tables-config.json.',
    type: 'gauge',
    samplesOf: plain(({ maxStalenessSeconds }) => maxStalenessSeconds),
  },
  {
    name: 'increp_table_consecutive_failures',
    help: 'Failed runs since the last success.',
    type: 'gauge',
    samplesOf: plain(({ counters }) => counters?.failures),
  },
  {
    name: 'increp_table_duration_seconds',
    help: 'How long the last sync of the table took.',
    type: 'gauge',
    samplesOf: plain(({ counters }) => inMicroseconds(counters?.durationSeconds ?? undefined)),
  },
  {
    name: 'increp_table_rows_total',
    help: 'Rows of the copy that were inserted, updated or deleted, or found unchanged.',
    type: 'counter',
    samplesOf: byOperation,
  },
  {
    name: 'increp_table_rows_read_total',
    help: 'Rows that were read at the source.',
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
