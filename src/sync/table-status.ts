/** How fresh each copy is: from the destination, or from the state files alone when it cannot be reached. */
import { z } from 'zod';
import type { TableSettings } from '../config/settings.ts';
import { IncrepError } from '../errors.ts';
import { settledCursor } from '../schema/fences.ts';
import { stateRecordSchema, type StateRecord } from '../schema/state-record.ts';
import { describeRelations } from '../postgres/catalog.ts';
import { latestRuns, lockHolder, readState, runsTable, stateTable } from '../sql/state.ts';
import { tableNames } from './facts.ts';
import type { Work } from './work.ts';

export type Condition = 'ok' | 'stale' | 'failing' | 'running' | 'never synced' | 'disabled';

export interface TableStatus {
  readonly name: string;
  readonly condition: Condition;
  /** Runs since the last success. */
  readonly failures: number;
  readonly cursor: string | null;
  /** Below this everything is in the destination; older than the cursor while transactions are still open. */
  readonly completeUpTo: string | null;
  readonly lastSuccessAt: Date | undefined;
  readonly lastRun: LatestRun | undefined;
}

export interface Statuses {
  readonly tables: readonly TableStatus[];
  /** Why the destination could not be asked; the state files had to serve. */
  readonly unreachable: IncrepError | undefined;
}

const latestRow = z.object({
  action: z.string(),
  reason: z.string(),
  status: z.string(),
  duration_s: z.number(),
  rows_read: z.number(),
  rows_inserted: z.number(),
  rows_updated: z.number(),
  rows_deleted: z.number(),
  warnings: z.array(z.string()),
  error_code: z.string().nullable(),
  error_message: z.string().nullable(),
  error_hint: z.string().nullable(),
  sqlstate: z.string().nullable(),
});
export type LatestRun = Readonly<z.infer<typeof latestRow>>;

const historyRow = z.object({
  table: z.string(),
  latest: latestRow.nullable(),
  lastSuccessAt: z.date().nullable(),
  failuresSince: z.number(),
});

type Observed = {
  readonly history: z.infer<typeof historyRow> | undefined;
  readonly record: StateRecord | undefined;
  readonly isRunning: boolean;
};

export async function tableStatuses(work: Work, tables: readonly TableSettings[]): Promise<Statuses> {
  try {
    const observed = await askDestination(work, tables);
    return { tables: tables.map((table) => statusOf(table, observed(table))), unreachable: undefined };
  } catch (error) {
    if (!(error instanceof IncrepError) || work.signal?.aborted === true) throw error;
    const fromFiles = tables.map(async (table): Promise<TableStatus> => {
      const file = await work.stateFiles.read(table.destinationName);
      return statusOf(table, {
        history: undefined,
        record: file.kind === 'record' ? file.record : undefined,
        isRunning: false,
      });
    });
    return { tables: await Promise.all(fromFiles), unreachable: error };
  }
}

async function askDestination(
  work: Work,
  tables: readonly TableSettings[],
): Promise<(table: TableSettings) => Observed> {
  const { schema } = work.settings.destination;
  const names = tables.map(({ destinationName }) => destinationName);
  return work.destination.withReading(async (client) => {
    const ours = await describeRelations(client, schema, [stateTable(schema).table, runsTable(schema).table]);
    const records = ours.has(stateTable(schema).table)
      ? (await client.query(readState(schema), [names])).rows
      : [];
    const history = ours.has(runsTable(schema).table)
      ? (await client.query(latestRuns(schema), [names])).rows
      : [];
    const running = new Set<string>();
    for (const table of tables) {
      const { rowCount } = await client.query(lockHolder(tableNames(work, table).destinationName));
      if (rowCount !== null && rowCount > 0) running.add(table.destinationName);
    }
    const recordOf = new Map(
      z
        .array(z.object({ table: z.string(), record: z.unknown() }))
        .parse(records)
        .map((row) => [row.table, row.record]),
    );
    const historyOf = new Map(
      z
        .array(historyRow)
        .parse(history)
        .map((row) => [row.table, row]),
    );
    return ({ destinationName }) => ({
      history: historyOf.get(destinationName),
      record: stateRecordSchema.safeParse(recordOf.get(destinationName)).data,
      isRunning: running.has(destinationName),
    });
  });
}

function statusOf(table: TableSettings, observed: Observed): TableStatus {
  const { history, record } = observed;
  const lastSuccessAt = history?.lastSuccessAt ?? (record && new Date(record.syncedAt));
  return {
    name: table.name,
    condition: conditionOf(table, observed, lastSuccessAt),
    failures: history?.failuresSince ?? 0,
    cursor: record?.cursor ?? null,
    completeUpTo: record ? settledCursor(record) : null,
    lastSuccessAt,
    lastRun: history?.latest ?? undefined,
  };
}

function conditionOf(
  table: TableSettings,
  { history, isRunning }: Observed,
  lastSuccessAt: Date | undefined,
): Condition {
  if (!table.isEnabled) return 'disabled';
  if (isRunning) return 'running';
  if ((history?.failuresSince ?? 0) > 0) return 'failing';
  if (!lastSuccessAt) return 'never synced';
  const ageSeconds = (Date.now() - lastSuccessAt.getTime()) / 1000;
  return table.maxStalenessSeconds !== undefined && ageSeconds > table.maxStalenessSeconds ? 'stale' : 'ok';
}
