/** The runs that wait for an attempt. */
import * as z from 'zod';
import type { ControlSession } from '../postgres/control-database.ts';
import { REQUEUE_RUN_TABLES, REQUEUE_RUNS } from '../sql/control/claims.ts';
import { END_RUNS, LOCK_RUNS } from '../sql/control/runs.ts';

/** The attempt has no result, so the runs wait for the next one. */
export async function requeueRuns(session: ControlSession, attempt: string): Promise<void> {
  await session.query(REQUEUE_RUN_TABLES, [attempt]);
  await session.query(REQUEUE_RUNS, [attempt]);
}

const runRow = z.object({ run_id: z.string() });

/** Ends those whose last table has ended. */
export async function endRuns(
  session: ControlSession,
  { rows }: { readonly rows: readonly unknown[] },
): Promise<void> {
  const runs = z.array(runRow).parse(rows);
  if (runs.length === 0) return;
  const ids = runs.map(({ run_id }) => run_id);
  await session.query(LOCK_RUNS, [ids]);
  await session.query(END_RUNS, [ids]);
}
