/** Computes statistics of many runs: pure. */
import { addConflicts, type ConflictCounts } from '../conflicts.ts';
import { failureWord, recordFor, rowsChanged, type RunRecord } from '../schema/run-record.ts';

/** For one table. */
export interface Digest {
  readonly latest: RunRecord | undefined;
  /** The newest that did not fail. */
  readonly latestOk: RunRecord | undefined;
  readonly lastSuccessAt: Date | undefined;
  /** Failed runs since the last success. */
  readonly failures: number;
  /** The newest failure. */
  readonly lastFailure: RunRecord | undefined;
  readonly rowsLastDay: number;
  /** Undefined if no run recorded conflicts. */
  readonly conflictsLastDay: ConflictCounts | undefined;
}

export const DAY_MS = 86_400_000;

export const startOf = ({ started_at }: RunRecord): number => Date.parse(started_at);

/**
 * A run does not count as failed if another run held the lock, or if a signal ended it. Both are normal. A process that was
 * killed has failed for the table that it was syncing.
 */
export function isFailure(record: RunRecord): boolean {
  if (record.status !== 'failed') return false;
  const word = failureWord(record);
  return word === 'failed' || (word === 'killed' && record.table_name !== null);
}

/** By destination table. A run that failed as a whole counts for each table that it did not reach. */
export function byTable(records: readonly RunRecord[]): Map<string, RunRecord[]> {
  const found = new Map<string, RunRecord[]>();
  for (const record of records) {
    for (const table of record.table_name === null ? record.tables : [record.table_name]) {
      const list = found.get(table);
      const own = recordFor(record, table);
      if (list) list.push(own);
      else found.set(table, [own]);
    }
  }
  return found;
}

/** `successAt` is a success that may not be in these records. */
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
    latestOk: newestOf(records.filter(({ status }) => status === 'ok')),
    lastSuccessAt,
    failures: failures.length,
    lastFailure: newestOf(failures),
    rowsLastDay: ofLastDay.reduce((sum, record) => sum + rowsChanged(record), 0),
    conflictsLastDay: ofLastDay
      .map(({ conflicts }) => conflicts ?? undefined)
      .reduce((sum, conflicts) => addConflicts(sum, conflicts), undefined),
  };
}

/** Combines two histories without overlap. Both must know the newest success of either. */
export const bothOf = (a: Digest, b: Digest): Digest => ({
  latest: newestOf([a.latest, b.latest]),
  latestOk: newestOf([a.latestOk, b.latestOk]),
  lastSuccessAt: latestDate(a.lastSuccessAt, b.lastSuccessAt),
  failures: a.failures + b.failures,
  lastFailure: newestOf([a.lastFailure, b.lastFailure]),
  rowsLastDay: a.rowsLastDay + b.rowsLastDay,
  conflictsLastDay: addConflicts(a.conflictsLastDay, b.conflictsLastDay),
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
