/** The logs of attempts. */
import * as z from 'zod';
import type { ControlSession } from '../../postgres/control-database.ts';
import { READ_LOGS, READ_RUN_LOG } from '../../sql/control/logs.ts';
import { time, type VisiblePipelines } from './rows.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

const line = z.object({
  id: z.string(),
  at: time,
  level: z.enum(LOG_LEVELS),
  pipeline: z.string(),
  table: z.string().nullable(),
  attempt: z.string(),
  message: z.string(),
  fields: z.record(z.string(), z.unknown()),
});
export type LogRow = z.infer<typeof line>;

interface LinesRequest {
  /** The lowest level. */
  readonly level: LogRow['level'];
  /** Only lines that are older than this one. */
  readonly before?: string | undefined;
  readonly limit: number;
}

interface LogsRequest extends LinesRequest {
  readonly visible: VisiblePipelines;
  /** Null for all pipelines. */
  readonly pipeline: string | null;
}

/** Newest first. */
export async function readLogs(
  session: ControlSession,
  { visible, pipeline, level, before, limit }: LogsRequest,
): Promise<readonly LogRow[]> {
  const values = [visible, pipeline, level, before ?? null, limit];
  return z.array(line).parse((await session.query(READ_LOGS, values)).rows);
}

/** Newest first. */
export async function readRunLog(
  session: ControlSession,
  { run, level, before, limit }: LinesRequest & { readonly run: string },
): Promise<readonly LogRow[]> {
  return z.array(line).parse((await session.query(READ_RUN_LOG, [run, level, before ?? null, limit])).rows);
}
