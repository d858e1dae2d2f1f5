/**
 * The status of each destination table: from both histories, or from the files alone if the destination cannot be
 * reached.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConflictCounts } from '../conflicts.ts';
import { recordNameOf } from '../config/tables/table-mapping.ts';
import type { TableSettings } from '../config/settings.ts';
import { asIncrepError, IncrepError } from '../errors.ts';
import type { DeletesState } from '../report/deletes-text.ts';
import { findsDeleted } from '../schema/deleted-rows.ts';
import { PLAINLY } from '../schema/state-record.ts';
import { completeAt, earliestStart } from '../schema/data-age.ts';
import { settledCursor, type Fence } from '../schema/fence-rules.ts';
import type { KnownDifference, RequestedLoad } from '../schema/known-differences.ts';
import {
  isBeforeReset,
  isEqualSince,
  plannedSince,
  type KnownSince,
  type RunRecord,
} from '../schema/run-record.ts';
import { readComparisons } from '../state/known-differences-file.ts';
import { blockerAtSource } from '../sync/lock/lock-holders.ts';
import { tableNames } from '../sync/facts/table-names.ts';
import { rowsFrom } from '../schema/selection.ts';
import { askDestination, type Observed } from './destination-status.ts';
import { findDrift, NO_DRIFTS, type Drift, type Drifts } from './find-drift.ts';
import { readLocalRuns } from './local-run-history.ts';
import { standingIn } from '../sync/plan/reload-guard.ts';
import { recordInFile } from './state-file-record.ts';
import { byTable, digestOf } from './run-stats.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import { timeByServers } from '../sync/context/this-clock.ts';
import { carryFormerFiles } from '../sync/facts/former-directories.ts';

export type Condition =
  | 'ok'
  | 'late'
  | 'stale'
  | 'drift'
  | 'different'
  | 'pending'
  | 'failing'
  | 'refused'
  | 'running'
  | 'reset'
  | 'never synced'
  | 'unknown'
  | 'disabled';

export interface TableStatus {
  readonly name: string;
  readonly condition: Condition;
  /** Failed runs since the last success. */
  readonly failures: number;
  readonly hasState: boolean;
  /** The time of a reset since the last sync. */
  readonly resetAt: Date | undefined;
  readonly cursor: string | null;
  /** The destination is complete below this value. It is lower than the cursor while transactions are open. */
  readonly completeUpTo: string | null;
  /** The oldest transaction that the last sync left open began at this time or before. */
  readonly openSince: Date | undefined;
  /** None of them began before this time. */
  readonly openAfter: Date | undefined;
  readonly lastSuccessAt: Date | undefined;
  /** No success is known, but the destination may have recorded one. */
  readonly mayHaveSucceeded: boolean;
  /** The age of the data; undefined if it is unknown. */
  readonly lagSeconds: number | undefined;
  /** Rows inserted, updated and deleted by the runs of the last 24 hours. */
  readonly rowsLastDay: number;
  /** Undefined if the table does not record conflicts. */
  readonly conflictsLastDay: ConflictCounts | undefined;
  readonly lastRun: RunRecord | undefined;
  /** The newest run that did not fail. */
  readonly lastOk: RunRecord | undefined;
  /** The commit of the newest sync, which may have begun before the last run. */
  readonly syncedAt: Date | undefined;
  /** The run that syncs it now. */
  readonly activeRun: string | undefined;
  /** The newest failure since the last success. */
  readonly lastFailure: RunRecord | undefined;
  /** What is known since that failure. Undefined if its cause may be as before. */
  readonly knownSince: KnownSince | undefined;
  readonly drift: Drift | undefined;
  /** What the last comparison on this machine found. */
  readonly difference: KnownDifference | undefined;
  /** A load that `sync --full-refresh` has not done. */
  readonly requestedLoad: RequestedLoad | undefined;
  /** Why the next sync would fail, if no run has failed for the same reason. */
  readonly refusal: IncrepError | undefined;
  /** The chunks of a load that was interrupted, or is running. */
  readonly pendingLoad: { readonly done: number; readonly of: number } | undefined;
  /** When deleted rows were last compared. Undefined if `deletes` finds none. */
  readonly deletes: DeletesState | undefined;
  /** Why a part of its status is unknown. */
  readonly problem: IncrepError | undefined;
}

export interface Statuses {
  readonly tables: readonly TableStatus[];
  /** Why the destination could not be queried. Then the files were used. */
  readonly unreachable: IncrepError | undefined;
  /** Why drift was not checked although it was requested. */
  readonly sourceError: IncrepError | undefined;
  /** Why the history of this machine could not be read. */
  readonly historyError: IncrepError | undefined;
  /** By the clocks of the servers, if that of this machine is wrong. */
  readonly now: Date;
}

export interface StatusRequest {
  /** From the files only. */
  readonly isLocal: boolean;
  /** Whether the shapes of the source tables are read. */
  readonly asksSource: boolean;
  /** Why the source cannot be queried, if this is already known. */
  readonly sourceError?: IncrepError | undefined;
}

export async function tableStatuses(
  context: RunContext,
  tables: readonly TableSettings[],
  { isLocal, asksSource, sourceError }: StatusRequest,
): Promise<Statuses> {
  const now = new Date();
  const local = await readLocalRuns(context);
  const runs = byTable(local.records);
  if (!isLocal) await carryFormerFiles(context);
  const { differences, equal, requested } = await readComparisons(context.settings.stateDirectory);
  const configuredAt = await configurationTime(context.settings.directory);
  const timeAt = ({ sourceClock }: Drifts) =>
    timeByServers({ source: { serverClock: sourceClock }, destination: context.destination });
  const knownOf = (table: TableSettings) => {
    const name = recordNameOf(context.settings, table);
    const load = requested.get(name);
    return {
      difference: standingIn(table, differences.get(name)),
      requestedLoad: load && local.active.has(load.run) ? undefined : load,
    };
  };
  const statusFrom = (table: TableSettings, found: Omit<Known, keyof Noted>, drifts: Drifts) =>
    statusOf(table, { ...found, ...knownOf(table) }, drifts, {
      now: timeAt(drifts),
      configuredAt,
      equalAt: equal.get(recordNameOf(context.settings, table)),
    });
  const fromFiles = async (unreachable?: IncrepError): Promise<Statuses> => ({
    tables: await Promise.all(
      tables.map(async (table) => {
        const found = await askFiles(context, table, runs, now);
        return statusFrom(table, { ...found, isFromFiles: true }, NO_DRIFTS);
      }),
    ),
    unreachable,
    sourceError: undefined,
    historyError: local.problem,
    now: new Date(),
  });
  if (isLocal) return fromFiles();
  try {
    const observed = await askDestination(context, tables, runs, now);
    const drifts = sourceError
      ? { ...NO_DRIFTS, problem: sourceError }
      : asksSource
        ? await findDrift(context, tables)
        : NO_DRIFTS;
    // If the destination has no state, the file counts, as in a sync.
    const withRecord = async (table: TableSettings): Promise<Observed> => {
      const there = observed(table);
      const activeRun =
        there.activeRun !== undefined && asksSource && !drifts.problem
          ? await withBlocker(context, table, there.activeRun)
          : there.activeRun;
      if (there.resetAt || there.record) return { ...there, activeRun };
      return { ...there, activeRun, ...(await askFile(context, table)) };
    };
    return {
      tables: await Promise.all(
        tables.map(async (table) => statusFrom(table, await withRecord(table), drifts)),
      ),
      unreachable: undefined,
      sourceError: drifts.problem,
      historyError: local.problem,
      now: timeAt(drifts),
    };
  } catch (error) {
    if (!(error instanceof IncrepError) || context.signal?.aborted === true) throw error;
    return fromFiles(error);
  }
}

/** A run that waits for a lock of the source shows no wait at the destination. */
async function withBlocker(context: RunContext, table: TableSettings, activeRun: string): Promise<string> {
  if (rowsFrom(table.selection) === 'query') return activeRun;
  const blocker = await blockerAtSource(context, tableNames(context, table).sourceName);
  return blocker === undefined ? activeRun : `${activeRun}; the source table is locked by ${blocker}`;
}

/** An unreadable file must not hide the rest of the status. */
async function askFile(
  context: RunContext,
  table: TableSettings,
): Promise<Pick<Observed, 'record' | 'problem'>> {
  try {
    return { record: await recordInFile(context, table), problem: undefined };
  } catch (error) {
    return { record: undefined, problem: asIncrepError(error) };
  }
}

async function askFiles(
  context: RunContext,
  table: TableSettings,
  local: ReadonlyMap<string, readonly RunRecord[]>,
  now: Date,
): Promise<Observed> {
  return {
    runs: digestOf(local.get(recordNameOf(context.settings, table)) ?? [], now),
    ...(await askFile(context, table)),
    resetAt: undefined,
    activeRun: undefined,
    pendingLoad: undefined,
  };
}

/** Noted on this machine. */
type Noted = Pick<TableStatus, 'difference' | 'requestedLoad'>;

/** `isFromFiles`: the destination was not asked, and it may know more than this machine. */
type Known = Observed & Noted & { readonly isFromFiles?: boolean };

const mayHaveSucceeded = ({ problem, isFromFiles = false }: Known): boolean =>
  problem !== undefined || isFromFiles;

interface Times {
  readonly now: Date;
  /** The newest change of the configuration. */
  readonly configuredAt: Date | undefined;
  /** When a comparison found the table equal after a failure. */
  readonly equalAt: string | undefined;
}

function statusOf(table: TableSettings, found: Known, drifts: Drifts, { now, ...times }: Times): TableStatus {
  const observed = { ...found, runs: sinceReset(found) };
  const { runs, record, pendingLoad, problem, resetAt } = observed;
  const lastSuccessAt = runs.lastSuccessAt ?? (record && new Date(record.syncedAt));
  const completeTo = record && completeAt(record, now, runs.lastSuccessAt);
  const drift = drifts.found?.get(table.name);
  const refusal = table.isEnabled ? drifts.refusals.get(table.name) : undefined;
  return {
    name: table.name,
    condition: conditionOf(table, observed, lastSuccessAt, drifts, now),
    failures: runs.failures,
    hasState: record !== undefined,
    resetAt,
    cursor: record?.cursor ?? null,
    completeUpTo: record ? settledCursor(record) : null,
    openSince: oldestOf(record?.fences ?? []),
    openAfter: record && earliestStart(record),
    lastSuccessAt,
    mayHaveSucceeded: !lastSuccessAt && mayHaveSucceeded(found),
    lagSeconds: completeTo && Math.max(0, (now.getTime() - completeTo.getTime()) / 1000),
    rowsLastDay: runs.rowsLastDay,
    conflictsLastDay: runs.conflictsLastDay,
    lastRun: runs.latest,
    lastOk: runs.latestOk,
    syncedAt: record && new Date(record.syncedAt),
    activeRun: observed.activeRun,
    lastFailure: runs.lastFailure,
    knownSince: runs.lastFailure && knownSince(table, runs.lastFailure, drifts, times),
    drift,
    difference: found.difference,
    requestedLoad: found.requestedLoad,
    refusal: refusal?.code === runs.lastFailure?.error_code ? undefined : refusal,
    problem: problem ?? drifts.failures.find(({ settings }) => settings.name === table.name)?.error,
    pendingLoad: pendingLoad?.header && {
      done: pendingLoad.done.length,
      of: pendingLoad.header.starts.length,
    },
    deletes: findsDeleted(table)
      ? {
          checkedAt: record?.deletesCheckedAt ?? null,
          refusedAt: record?.deletesRefusedAt ?? null,
          everySeconds: table.deletesEverySeconds,
          isChanged: record !== undefined && (record.writtenAs ?? PLAINLY).deletes !== table.deletes,
        }
      : undefined,
  };
}

/** The plan of a table without an error shows more than the time of a file. */
function knownSince(
  table: TableSettings,
  failure: RunRecord,
  { found, refusals, unstaged, failures }: Drifts,
  { configuredAt, equalAt }: Omit<Times, 'now'>,
): KnownSince | undefined {
  const { name, isEnabled, deletionLog } = table;
  if (isEqualSince(failure, equalAt)) return 'equal';
  const isUnread = found === undefined || failures.some(({ settings }) => settings.name === name);
  if (isUnread)
    return configuredAt && configuredAt > new Date(failure.started_at) ? 'reconfigured' : undefined;
  if (!isEnabled || refusals.has(name) || found.get(name)?.isRefused === true) return 'connected';
  const loadsBecause = found.get(name)?.what;
  const keepsShape = loadsBecause === undefined;
  return plannedSince(failure, { deletionLog, keepsShape, mayStage: !unstaged.has(name), loadsBecause });
}

/** When the files of the configuration last changed. The pipeline of a service may have none. */
async function configurationTime(directory: string): Promise<Date | undefined> {
  const times = await Promise.all(
    ['.env', 'tables-config.json'].map((file) =>
      stat(join(directory, file)).then(
        ({ mtime }) => mtime,
        () => undefined,
      ),
    ),
  );
  return times.reduce(
    (newest, time) => (newest && time && newest > time ? newest : (time ?? newest)),
    undefined,
  );
}

function oldestOf(fences: readonly Fence[]): Date | undefined {
  const [oldest] = fences.flatMap(({ openSince }) => openSince ?? []).toSorted();
  return oldest === undefined ? undefined : new Date(oldest);
}

const sinceReset = ({ runs, resetAt }: Observed): Observed['runs'] =>
  runs.lastFailure && isBeforeReset(runs.lastFailure, resetAt)
    ? { ...runs, failures: 0, lastFailure: undefined }
    : runs;

function conditionOf(
  table: TableSettings,
  known: Known,
  lastSuccessAt: Date | undefined,
  { found, refusals }: Drifts,
  now: Date,
): Condition {
  const { runs, activeRun, resetAt, difference, requestedLoad } = known;
  if (!table.isEnabled) return 'disabled';
  if (activeRun !== undefined) return 'running';
  if (resetAt && runs.failures === 0 && !refusals.has(table.name)) return 'reset';
  if (runs.failures > 0) return 'failing';
  if (found?.has(table.name) === true) return 'drift';
  if (refusals.has(table.name)) return 'refused';
  if (!lastSuccessAt) return mayHaveSucceeded(known) ? 'unknown' : 'never synced';
  const ageSeconds = (now.getTime() - lastSuccessAt.getTime()) / 1000;
  const isOver = (limit: number | undefined) => limit !== undefined && ageSeconds > limit;
  if (isOver(table.maxStalenessSeconds)) return 'stale';
  if (difference) return 'different';
  if (requestedLoad) return 'pending';
  return isOver(table.warnStalenessSeconds) ? 'late' : 'ok';
}

/** A running run after failed runs has not fixed anything yet. */
export const isFine = ({ condition, failures, refusal }: TableStatus): boolean =>
  refusal === undefined &&
  (condition === 'ok' ||
    condition === 'reset' ||
    condition === 'late' ||
    condition === 'disabled' ||
    (condition === 'running' && failures === 0));
