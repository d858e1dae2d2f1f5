/** How fresh each copy is: from both histories, or from the files alone when the destination cannot be reached. */
import { copyNameOf } from '../config/tables/table-mapping.ts';
import type { TableSettings } from '../config/settings.ts';
import { asIncrepError, IncrepError } from '../errors.ts';
import { completeAt } from '../schema/data-age.ts';
import { settledCursor } from '../schema/fences.ts';
import type { RunRecord } from '../schema/run-record.ts';
import { askDestination, type Observed } from './destination-status.ts';
import { driftNow, type Drift, type Drifts } from './current-drift.ts';
import { readLocalRuns } from './local-run-history.ts';
import { recordInFile } from './state-file-record.ts';
import { byTable, digestOf } from './run-stats.ts';
import type { RunContext } from '../sync/context/run-context.ts';

export type Condition = 'ok' | 'stale' | 'drift' | 'failing' | 'running' | 'never synced' | 'disabled';

export interface TableStatus {
  readonly name: string;
  readonly condition: Condition;
  /** Runs since the last success. */
  readonly failures: number;
  readonly hasState: boolean;
  readonly cursor: string | null;
  /** Below this everything is in the destination; older than the cursor while transactions are still open. */
  readonly completeUpTo: string | null;
  readonly lastSuccessAt: Date | undefined;
  /** How old the data is; undefined where that cannot be told. */
  readonly lagSeconds: number | undefined;
  /** Inserted, updated and deleted by the runs of the last 24 hours. */
  readonly rowsLastDay: number;
  readonly lastRun: RunRecord | undefined;
  /** The newest failure since the last success. */
  readonly lastFailure: RunRecord | undefined;
  readonly drift: Drift | undefined;
  /** Chunks of a load that was broken off, or is under way. */
  readonly pendingLoad: { readonly done: number; readonly of: number } | undefined;
  /** Why not all could be found out about it. */
  readonly trouble: IncrepError | undefined;
}

export interface Statuses {
  readonly tables: readonly TableStatus[];
  /** Why the destination could not be asked; the files had to serve. */
  readonly unreachable: IncrepError | undefined;
  /** Why nobody looked for drift although it was asked for. */
  readonly sourceTrouble: IncrepError | undefined;
  /** Why this machine's history could not be read. */
  readonly historyTrouble: IncrepError | undefined;
}

export interface StatusRequest {
  /** From the files alone. */
  readonly isLocal: boolean;
  /** Whether the source is asked for its shapes. */
  readonly asksSource: boolean;
  /** Why it cannot be, where that is known already. */
  readonly sourceTrouble?: IncrepError | undefined;
}

const NO_DRIFTS: Drifts = { found: undefined, failures: [], trouble: undefined };

export async function tableStatuses(
  context: RunContext,
  tables: readonly TableSettings[],
  { isLocal, asksSource, sourceTrouble }: StatusRequest,
): Promise<Statuses> {
  const now = new Date();
  const local = await readLocalRuns(context);
  const runs = byTable(local.records);
  const fromFiles = async (unreachable?: IncrepError): Promise<Statuses> => ({
    tables: await Promise.all(
      tables.map(async (table) => statusOf(table, await askFiles(context, table, runs, now), NO_DRIFTS, now)),
    ),
    unreachable,
    sourceTrouble: undefined,
    historyTrouble: local.trouble,
  });
  if (isLocal) return fromFiles();
  try {
    const observed = await askDestination(context, tables, runs, now);
    const drifts = sourceTrouble
      ? { found: undefined, failures: [], trouble: sourceTrouble }
      : asksSource
        ? await driftNow(context, tables)
        : NO_DRIFTS;
    // The file serves where the destination has no state, as it does for a sync.
    const withRecord = async (table: TableSettings): Promise<Observed> => {
      const there = observed(table);
      if (there.isReset || there.record) return there;
      return { ...there, ...(await askFile(context, table)) };
    };
    return {
      tables: await Promise.all(
        tables.map(async (table) => statusOf(table, await withRecord(table), drifts, now)),
      ),
      unreachable: undefined,
      sourceTrouble: drifts.trouble,
      historyTrouble: local.trouble,
    };
  } catch (error) {
    if (!(error instanceof IncrepError) || context.signal?.aborted === true) throw error;
    return fromFiles(error);
  }
}

/** A file that cannot be read is no reason to say nothing of its table. */
async function askFile(
  context: RunContext,
  table: TableSettings,
): Promise<Pick<Observed, 'record' | 'trouble'>> {
  try {
    return { record: await recordInFile(context, table), trouble: undefined };
  } catch (error) {
    return { record: undefined, trouble: asIncrepError(error) };
  }
}

async function askFiles(
  context: RunContext,
  table: TableSettings,
  local: ReadonlyMap<string, readonly RunRecord[]>,
  now: Date,
): Promise<Observed> {
  return {
    runs: digestOf(local.get(copyNameOf(context.settings, table)) ?? [], now),
    ...(await askFile(context, table)),
    isReset: false,
    isRunning: false,
    pendingLoad: undefined,
  };
}

function statusOf(table: TableSettings, observed: Observed, drifts: Drifts, now: Date): TableStatus {
  const { runs, record, pendingLoad, trouble } = observed;
  const lastSuccessAt = runs.lastSuccessAt ?? (record && new Date(record.syncedAt));
  const completeTo = record && completeAt(record);
  const drift = drifts.found?.get(table.name);
  return {
    name: table.name,
    condition: conditionOf(table, observed, lastSuccessAt, drifts, now),
    failures: runs.failures,
    hasState: record !== undefined,
    cursor: record?.cursor ?? null,
    completeUpTo: record ? settledCursor(record) : null,
    lastSuccessAt,
    lagSeconds: completeTo && Math.max(0, (now.getTime() - completeTo.getTime()) / 1000),
    rowsLastDay: runs.rowsLastDay,
    lastRun: runs.latest,
    lastFailure: runs.lastFailure,
    drift,
    trouble: trouble ?? drifts.failures.find(({ settings }) => settings.name === table.name)?.error,
    pendingLoad: pendingLoad?.header && {
      done: pendingLoad.done.length,
      of: pendingLoad.header.starts.length,
    },
  };
}

function conditionOf(
  table: TableSettings,
  { runs, isRunning }: Observed,
  lastSuccessAt: Date | undefined,
  { found }: Drifts,
  now: Date,
): Condition {
  if (!table.isEnabled) return 'disabled';
  if (isRunning) return 'running';
  const isRefused = runs.lastFailure?.error_code === 'SCHEMA_CHANGE_REFUSED';
  // Where nobody could look, the last run has.
  const hasDrift = found ? found.has(table.name) : isRefused;
  if (hasDrift && (runs.failures === 0 || isRefused)) return 'drift';
  if (runs.failures > 0) return 'failing';
  if (!lastSuccessAt) return 'never synced';
  const ageSeconds = (now.getTime() - lastSuccessAt.getTime()) / 1000;
  return table.maxStalenessSeconds !== undefined && ageSeconds > table.maxStalenessSeconds ? 'stale' : 'ok';
}

/** A run that is under way after others have failed has mended nothing yet. */
export const isFine = ({ condition, failures }: TableStatus): boolean =>
  condition === 'ok' || condition === 'disabled' || (condition === 'running' && failures === 0);
