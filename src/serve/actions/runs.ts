/** Runs are requested and cancelled, by the API and by the page. */
import * as z from 'zod';
import type { ControlDatabase, ControlSession } from '../../postgres/control-database.ts';
import { LOCK_SENDS } from '../../sql/control/claims.ts';
import { CANCEL_RUN, CANCEL_RUN_TABLES, FIND_PIPELINE, FIND_RUN } from '../../sql/control/runs.ts';
import { ensureNamesExist } from '../missing-table.ts';
import { pausedTables } from '../paused-tables.ts';
import type { Queue } from '../queue.ts';
import { RefusedRequest } from '../refusal.ts';
import { pausedTable } from '../run-scope.ts';
import { requestRun, type RunKind, type SyncChoices } from '../trigger.ts';

export interface RequestedRun {
  readonly pipeline: string;
  readonly kind?: RunKind;
  /** Undefined means all tables. */
  readonly tables?: readonly string[] | undefined;
  readonly options?: SyncChoices;
  readonly by: string;
  /** The default is a request by a person. */
  readonly origin?: 'request' | 'hook';
}

const pipelineRow = z.object({
  source: z.string().nullable(),
  hasProblem: z.boolean(),
  /** Whether a worker has listed all of its tables. */
  knowsTables: z.boolean(),
  isPaused: z.boolean(),
});

/** Throws a RefusedRequest NOT_FOUND. In a transaction. */
export async function ensurePipelineExists(session: ControlSession, pipeline: string) {
  const { rows } = await session.query(FIND_PIPELINE, [pipeline]);
  const found = pipelineRow.optional().parse(rows[0]);
  if (!found)
    throw new RefusedRequest('NOT_FOUND', `there is no pipeline "${pipeline}"`, 'See GET /api/v1/pipelines.');
  return found;
}

/** Returns the ID of the run. A sync of a paused pipeline or table is refused, because nothing would be synced before the end of the pause. */
export const requestPipelineRun = (
  control: ControlDatabase,
  queue: Queue,
  order: RequestedRun,
): Promise<string> => control.transaction((session) => requestRunIn(session, queue, order));

export async function requestRunIn(
  session: ControlSession,
  queue: Queue,
  { pipeline, kind = 'sync', tables, options = {}, by, origin = 'request' }: RequestedRun,
): Promise<string> {
  // A deletion that comes now waits for the request, and cancels it.
  await session.query(LOCK_SENDS);
  const { source, isPaused, knowsTables } = await ensurePipelineExists(session, pipeline);
  if (isPaused)
    throw new RefusedRequest(
      'CONFLICT',
      `pipeline "${pipeline}" is paused`,
      `End the pause first: DELETE /api/v1/pipelines/${pipeline}/pause, or DELETE /api/v1/pause.`,
    );
  // A hook gets no answer that a person reads. Its run fails instead.
  if (origin === 'request' && tables && knowsTables) await ensureNamesExist(session, pipeline, tables);
  if (kind === 'sync' && tables) await ensureNonePaused(session, pipeline, tables);
  return requestRun(session, queue, {
    ...{ pipeline, kind, origin, by, options },
    ...(tables && { tables }),
    // These two read whole tables, so they count for the limit of the source.
    ...(kind === 'verify' && source !== null && { source }),
  });
}

/** A name of a table that no worker may sync. A pattern of names leaves out paused tables. */
async function ensureNonePaused(
  session: ControlSession,
  pipeline: string,
  tables: readonly string[],
): Promise<void> {
  const paused = (await pausedTables(session, pipeline)).find(({ table }) => tables.includes(table));
  if (!paused) return;
  const { what, next } = pausedTable(pipeline, paused.table);
  throw new RefusedRequest('CONFLICT', what, next);
}

const runRow = z.object({ pipeline: z.string(), hasEnded: z.boolean() });

/** The pipeline of a run. Throws a RefusedRequest NOT_FOUND. */
export async function pipelineOfRun(session: ControlSession, run: string): Promise<string> {
  return (await findRun(session, run)).pipeline;
}

async function findRun(session: ControlSession, run: string): Promise<z.infer<typeof runRow>> {
  const found = runRow.optional().parse((await session.query(FIND_RUN, [run])).rows[0]);
  if (!found) throw new RefusedRequest('NOT_FOUND', `there is no run ${run}`, 'See GET /api/v1/runs.');
  return found;
}

/** A sync that other runs wait for, too, continues. Workers stop the others within seconds. */
export async function cancelRun(control: ControlDatabase, run: string): Promise<void> {
  await control.transaction(async (session) => {
    const { hasEnded } = await findRun(session, run);
    if (hasEnded) throw new RefusedRequest('CONFLICT', `run ${run} has ended`, 'There is nothing to cancel.');
    await session.query(CANCEL_RUN, [run]);
    await session.query(CANCEL_RUN_TABLES, [run]);
  });
}
