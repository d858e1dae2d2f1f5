/** What people changed, and what happened to workers. */
import * as z from 'zod';
import type { ControlSession } from '../../postgres/control-database.ts';
import { READ_AUDIT, READ_EVENTS } from '../../sql/control/read/details.ts';
import { time, type VisiblePipelines } from './rows.ts';

const auditRow = z.object({
  id: z.string(),
  at: time,
  /** The name of the token. Null if the request had none that is valid. */
  actor: z.string().nullable(),
  action: z.string(),
  pipeline: z.string().nullable(),
  table: z.string().nullable(),
  /** Of the answer, as in HTTP. */
  status: z.number(),
  detail: z.record(z.string(), z.unknown()),
});
export type AuditRow = z.infer<typeof auditRow>;

interface RecordsRequest {
  readonly visible: VisiblePipelines;
  /** Null for all pipelines. */
  readonly pipeline: string | null;
  /** Only records that are older than this one. */
  readonly before?: string;
  readonly limit: number;
}

/** Newest first. */
export async function readAudit(
  session: ControlSession,
  { visible, pipeline, before, limit }: RecordsRequest,
): Promise<readonly AuditRow[]> {
  const { rows } = await session.query(READ_AUDIT, [visible, pipeline, before ?? null, limit]);
  return z.array(auditRow).parse(rows);
}

const eventRow = z.object({
  id: z.string(),
  at: time,
  level: z.enum(['info', 'warn', 'error']),
  code: z.string(),
  pipeline: z.string().nullable(),
  table: z.string().nullable(),
  attempt: z.string().nullable(),
  worker: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
});
export type EventRow = z.infer<typeof eventRow>;

/** Newest first. */
export async function readEvents(
  session: ControlSession,
  { visible, pipeline, before, limit, level }: RecordsRequest & { readonly level?: EventRow['level'] },
): Promise<readonly EventRow[]> {
  const values = [visible, pipeline, level ?? null, before ?? null, limit];
  return z.array(eventRow).parse((await session.query(READ_EVENTS, values)).rows);
}
