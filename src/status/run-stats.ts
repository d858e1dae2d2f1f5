/** What of many runs is of interest now: pure. */
import { rowsChanged, type RunRecord } from '../schema/run-record.ts';

/** Of one table. */
export interface Digest {
  readonly latest: RunRecord | undefined;
  readonly lastSuccessAt: Date | undefined;
  /** Runs that failed since. */
  readonly failures: number;
  /** The newest of them. */
  readonly lastFailure: RunRecord | undefined;
  readonly rowsLastDay: number;
}

export const DAY_MS = 86_400_000;

export const startOf = ({ started_at }: RunRecord): number => Date.parse(started_at);

/**
 * Not where another run was at work on the table, and not where somebody stopped a run before it came to the table: both
 * happen while all is well.
 */
export const isFailure = ({ status, error_code, table_name }: RunRecord): boolean =>
  status === 'failed' &&
  error_code !== 'RUN_LOCKED' &&
  !(table_name === null && error_code === 'INTERRUPTED');

/** By destination table; a run that failed as a whole belongs to each table that it did not come to. */
export function byTable(records: readonly RunRecord[]): Map<string, RunRecord[]> {
  const found = new Map<string, RunRecord[]>();
  for (const record of records) {
    for (const table of record.table_name === null ? record.tables : [record.table_name]) {
      const list = found.get(table);
      if (list) list.push(record);
      else found.set(table, [record]);
    }
  }
  return found;
}

/** `successAt`: a success that these records may not have. */
export function digestOf(records: readonly RunRecord[], now: Date, successAt?: Date): Digest {
  const lastSuccessAt = latestDate(
    successAt,
    ...records.filter(({ status }) => status === 'ok').map((record) => new Date(startOf(record))),
  );
  const failures = records.filter(
    (record) => isFailure(record) && startOf(record) > (lastSuccessAt?.getTime() ?? -Infinity),
  );
  const ofLastDay = records.filter((record) => startOf(record) > now.getTime() - DAY_MS);
  return {
    latest: newestOf(records),
    lastSuccessAt,
    failures: failures.length,
    lastFailure: newestOf(failures),
    rowsLastDay: ofLastDay.reduce((sum, record) => sum + rowsChanged(record), 0),
  };
}

/** Of what two histories say without overlap. Both must know of the newest success of either. */
export const bothOf = (a: Digest, b: Digest): Digest => ({
  latest: newestOf([a.latest, b.latest]),
  lastSuccessAt: latestDate(a.lastSuccessAt, b.lastSuccessAt),
  failures: a.failures + b.failures,
  lastFailure: newestOf([a.lastFailure, b.lastFailure]),
  rowsLastDay: a.rowsLastDay + b.rowsLastDay,
});

function newestOf(records: readonly (RunRecord | undefined)[]): RunRecord | undefined {
  let newest: RunRecord | undefined;
  for (const record of records)
    if (record && (!newest || startOf(record) >= startOf(newest))) newest = record;
  return newest;
}

function latestDate(...dates: readonly (Date | undefined)[]): Date | undefined {
  let latest: Date | undefined;
  for (const date of dates) if (date && (!latest || date > latest)) latest = date;
  return latest;
}
