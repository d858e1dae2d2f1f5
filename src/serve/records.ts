/** Writes what the page and the metrics show of tables. */
import { totalConflicts } from '../conflicts.ts';
import type { Settings, TableSettings } from '../config/settings.ts';
import { destinationOf, type DefaultSchema } from '../config/tables/table-mapping.ts';
import type { ScheduledEntry } from '../config/service/schedules.ts';
import type { Failure, RunSummary, TableOutcome, WaitingRows } from '../events.ts';
import type { ControlSession } from '../postgres/control-database.ts';
import { failureToJson, tableToJson } from '../report/summary-json.ts';
import { printName } from '../schema/names.ts';
import {
  LIST_TABLES,
  RECORD_LAGS,
  RECORD_PERIOD,
  RECORD_TABLES,
  RECORD_WAITING,
  UNLIST_TABLES,
} from '../sql/control/records.ts';

/** The tables of a configuration. */
export interface TableListing {
  readonly tables: readonly TableSettings[];
  readonly schedules: readonly ScheduledEntry[];
  /** The schemas of the destinations. */
  readonly destinations: readonly DefaultSchema[];
  /** Whether a table that is missing here is gone. Without an answer of the source, patterns may lack tables. */
  readonly isWhole: boolean;
}

export async function listTables(
  session: ControlSession,
  pipeline: string,
  { tables, schedules, destinations, isWhole }: TableListing,
): Promise<void> {
  const rows = tables.map((table) => listedRow(table, schedules, destinations));
  await session.query(LIST_TABLES, [pipeline, JSON.stringify(rows)]);
  if (isWhole) await session.query(UNLIST_TABLES, [pipeline, tables.map(({ name }) => name)]);
}

function listedRow(
  table: TableSettings,
  schedules: readonly ScheduledEntry[],
  destinations: readonly DefaultSchema[],
) {
  const followed = scheduleFor(table, schedules);
  const limits = limitsOf(table, followed?.schedule);
  return {
    ...{ name: table.name, is_enabled: table.isEnabled, entry: followed?.entry ?? '' },
    ...{ behind_after: limits.behindAfter, stale_after: limits.staleAfter },
    settings: {
      mode: table.mode,
      replication_key: table.replicationKey ?? null,
      unique_cols: table.mergeKey,
      source_table: printName(table.source),
      destination_table: destinationNames(table, destinations),
      deletes: table.deletes,
    },
  };
}

/** Each destination may have a schema of its own. */
const destinationNames = (table: TableSettings, destinations: readonly DefaultSchema[]): string =>
  [...new Set(destinations.map((side) => printName(destinationOf(side, table))))].join(', ');

export const sidesOf = ({
  destination,
  destinations,
}: Pick<Settings, 'destination' | 'destinations'>): readonly DefaultSchema[] =>
  destinations.length === 0 ? [destination] : destinations.map(({ connection }) => connection);

/** A table with a schedule of its own does not follow that of the pipeline. */
export const scheduleFor = (
  table: TableSettings,
  schedules: readonly ScheduledEntry[],
): ScheduledEntry | undefined =>
  schedules.find(({ entry }) => entry !== '' && namesOf(table).includes(entry)) ??
  schedules.find(({ entry }) => entry === '');

/** The entries of tables-config.json that may mean the table. */
export const namesOf = ({ name, pattern, source }: TableSettings): readonly string[] => [
  name,
  printName(source),
  ...(pattern === undefined ? [] : [pattern, `${source.schema}.${pattern}`]),
];

/** A table may miss this many intervals before it is behind, if it has no limit of its own. */
const MISSED_INTERVALS = 3;
/** Seconds. A shorter time would call tables behind that wait for their turn. */
const LEAST_LIMIT = 300;

interface Limits {
  readonly behindAfter: number | null;
  readonly staleAfter: number | null;
}

export function limitsOf(
  {
    maxStalenessSeconds,
    warnStalenessSeconds,
  }: Pick<TableSettings, 'maxStalenessSeconds' | 'warnStalenessSeconds'>,
  schedule: ScheduledEntry['schedule'] | undefined,
): Limits {
  const staleAfter = maxStalenessSeconds ?? null;
  if (warnStalenessSeconds !== undefined) return { behindAfter: warnStalenessSeconds, staleAfter };
  if (staleAfter !== null || schedule?.kind !== 'every') return { behindAfter: null, staleAfter };
  return { behindAfter: Math.max(LEAST_LIMIT, schedule.seconds * MISSED_INTERVALS), staleAfter };
}

export type RecordedOutcome =
  TableOutcome | { readonly name: string; readonly status: 'failed'; readonly error: object | null };

/** A table has one state for all its destinations: it is ok if all of them are. */
export async function recordTables(
  session: ControlSession,
  pipeline: string,
  outcomes: readonly RecordedOutcome[],
): Promise<void> {
  const tried = outcomes.filter(({ status }) => status !== 'skipped');
  const rows = [...Map.groupBy(tried, ({ name }) => name)].map(([name, same]) => ({
    name,
    ok: same.every(({ status }) => status === 'ok'),
    code: same.map(codeOf).find((code) => code !== undefined) ?? null,
    outcome: same.every((each) => 'isQuiet' in each && each.isQuiet)
      ? null
      : same.map((each) => ('action' in each ? tableToJson(each) : each)),
  }));
  if (rows.length === 0) return;
  const values = [pipeline, JSON.stringify(rows)];
  await session.query(RECORD_LAGS, values);
  await session.query(RECORD_TABLES, values);
}

const codeOf = ({ error }: RecordedOutcome): unknown => (error && 'code' in error ? error.code : undefined);

interface LookCount {
  /** The look that counted them. */
  readonly attempt: string;
  readonly waiting: readonly WaitingRows[];
}

export async function recordWaiting(
  session: ControlSession,
  pipeline: string,
  { attempt, waiting }: LookCount,
): Promise<void> {
  if (waiting.length === 0) return;
  const rows = waiting.map(({ table, rows: counted, isMore }) => ({ table, counted, is_more: isMore }));
  await session.query(RECORD_WAITING, [pipeline, JSON.stringify(rows), attempt]);
}

/** What the syncs of one job did, for the charts. */
export async function recordPeriod(
  session: ControlSession,
  pipeline: string,
  { tables, error }: RunSummary,
): Promise<void> {
  const sum = (of: (table: TableOutcome) => number) => tables.reduce((total, table) => total + of(table), 0);
  const failed = tables.filter(({ status }) => status === 'failed').length;
  await session.query(RECORD_PERIOD, [
    pipeline,
    tables.filter(({ status }) => status === 'ok').length,
    error && failed === 0 ? 1 : failed,
    sum(({ rowsInserted }) => rowsInserted),
    sum(({ rowsUpdated }) => rowsUpdated),
    sum(({ rowsDeleted }) => rowsDeleted),
    sum(({ conflicts }) => (conflicts ? totalConflicts(conflicts) : 0)),
    sum(({ bytes }) => bytes),
  ]);
}

export const failureOf = (failure: Failure | undefined): object | null =>
  failure ? failureToJson(failure) : null;
