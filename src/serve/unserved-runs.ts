/** The runs of pipelines that no worker can serve. They wait for a while, because a person may be about to fix the pipeline. */
import * as z from 'zod';
import { formatDuration } from '../duration.ts';
import type { ControlSession } from '../postgres/control-database.ts';
import {
  FAIL_WAITING_RUNS,
  FAIL_WAITING_TABLES,
  MARK_UNSERVED,
  SAVE_RUN_ERROR,
  UNSERVED_WITH_RUNS,
} from '../sql/control/unserved.ts';
import type { Timing } from '../timing.ts';
import { pipelineTroubles, troubledPipeline } from './read/pipeline-trouble.ts';
import { endRuns } from './waiting-runs.ts';

/** A worker without a sign of life for this long is lost. */
const silentSecondsOf = ({ heartbeat }: Timing['serve']): number => heartbeat * 2;

export const silentIn = ({ timing }: { readonly timing: Timing }): number => silentSecondsOf(timing.serve);

const runRow = z.object({ run_id: z.string() });

/** In a transaction. Without any worker, the runs wait until one starts. */
export async function failUnservedRuns(session: ControlSession, timing: Timing['serve']): Promise<void> {
  const { unservedRun: patience } = timing;
  const silent = silentSecondsOf(timing);
  await session.query(MARK_UNSERVED, [silent]);
  const { rows } = await session.query(UNSERVED_WITH_RUNS, [silent, patience]);
  for (const row of z.array(troubledPipeline).parse(rows)) {
    const [trouble] = pipelineTroubles(row);
    if (!trouble) continue;
    const message = `The run has waited ${formatDuration(patience)}. ${trouble.problem.message}`;
    const error = { ...trouble.problem, message };
    const tables = await session.query(FAIL_WAITING_TABLES, [row.pipeline, patience]);
    const runs = z.array(runRow).parse(tables.rows);
    await session.query(SAVE_RUN_ERROR, [runs.map(({ run_id }) => run_id), error]);
    await endRuns(session, tables);
    await session.query(FAIL_WAITING_RUNS, [row.pipeline, patience, error]);
  }
}
