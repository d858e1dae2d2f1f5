/** Pauses of everything, a pipeline or a table: no worker begins with them until the end of the pause. */
import type { ControlDatabase } from '../../postgres/control-database.ts';
import { PAUSE } from '../../sql/control/claims.ts';
import { FORGET_CRASHES, REMOVE_PAUSES, REMOVE_REQUESTED_PAUSE } from '../../sql/control/pauses.ts';
import { CANCEL_WAITING_TABLE } from '../../sql/control/runs.ts';
import { ensureTableExists } from '../missing-table.ts';
import type { Queue } from '../queue.ts';
import { RefusedRequest } from '../refusal.ts';
import { endRuns } from '../waiting-runs.ts';
import { ensurePipelineExists } from './runs.ts';

/** Null stands for everything, or for all tables of the pipeline. */
export interface PauseScope {
  readonly pipeline: string | null;
  readonly table: string | null;
}

export interface PauseOrder extends PauseScope {
  /** What the person wrote. */
  readonly reason: string;
  /** Null means until somebody ends it. */
  readonly endsAt: Date | null;
  readonly by: string;
}

/** Replaces an earlier pause of the same scope. Syncs that run continue. Throws a RefusedRequest. */
export async function pause(control: ControlDatabase, queue: Queue, order: PauseOrder): Promise<void> {
  const { pipeline, table, reason, endsAt, by } = order;
  await control.transaction(async (session) => {
    if (pipeline !== null) await ensurePipelineExists(session, pipeline);
    // Without it, a person who mistypes a name believes that the table is paused.
    if (pipeline !== null && table !== null) await ensureTableExists(session, pipeline, table);
    await session.query(REMOVE_REQUESTED_PAUSE, [pipeline, table]);
    const { rowCount } = await session.query(PAUSE, [pipeline, table, reason, {}, by, endsAt]);
    if (rowCount !== 1)
      throw new RefusedRequest(
        'INVALID_REQUEST',
        `the end of the pause, ${endsAt?.toISOString()}, has passed`,
        'Choose a later time. The clock is that of the control database.',
      );
    if (pipeline === null || table === null) return;
    // No claim takes the job of a paused table, so runs that wait for it would not end.
    await queue.removeWaiting(session, pipeline, { table });
    await endRuns(session, await session.query(CANCEL_WAITING_TABLE, [pipeline, table]));
  });
}

/** Also ends the pause of a table at which workers crashed. Throws a RefusedRequest NOT_FOUND if there is no pause. */
export async function resume(control: ControlDatabase, { pipeline, table }: PauseScope): Promise<void> {
  await control.transaction(async (session) => {
    const { rowCount } = await session.query(REMOVE_PAUSES, [pipeline, table]);
    if (rowCount === 0)
      throw new RefusedRequest(
        'NOT_FOUND',
        `${scopeText({ pipeline, table })} is not paused`,
        'A pause of a pipeline, or of everything, ends where it was made.',
      );
    if (table !== null) await session.query(FORGET_CRASHES, [pipeline, table]);
  });
}

const scopeText = ({ pipeline, table }: PauseScope): string => {
  if (pipeline === null) return 'everything';
  return table === null ? `pipeline "${pipeline}"` : `table "${table}" of pipeline "${pipeline}"`;
};
