/** What concerns a whole pipeline and needs attention. */
import * as z from 'zod';
import type { ControlSession } from '../../postgres/control-database.ts';
import { READ_TROUBLE } from '../../sql/control/unserved.ts';
import { failure, maybeTime, type FailureRow } from './rows.ts';

export const troubledPipeline = z.object({
  pipeline: z.string(),
  /** What is wrong with its tables-config.json. */
  problem: failure.nullable(),
  /** Since when no worker can serve it. */
  since: maybeTime.default(null),
  scheduleProblem: z.string().nullable(),
  isServed: z.boolean(),
  /** Working workers, also those that do not know the pipeline. */
  workers: z.number(),
  /** Why workers cannot use it. */
  lacks: z.array(z.object({ host: z.string(), process: z.number(), lacks: z.string() })),
});
export type TroubledPipeline = z.infer<typeof troubledPipeline>;

export interface PipelineTrouble {
  readonly pipeline: string;
  readonly state: 'not_valid' | 'no_worker' | 'no_schedule';
  readonly problem: FailureRow;
  /** Null for a problem that does not stop its runs. */
  readonly since: Date | null;
}

/** The rule of `pipelineTroubles`, for a row without the workers. */
export const isTroubled = ({
  problem,
  isServed,
  scheduleProblem,
}: Pick<TroubledPipeline, 'problem' | 'isServed' | 'scheduleProblem'>): boolean =>
  problem !== null || !isServed || scheduleProblem !== null;

export function pipelineTroubles(row: TroubledPipeline): readonly PipelineTrouble[] {
  const { pipeline, problem, scheduleProblem, isServed, since } = row;
  const troubles: PipelineTrouble[] = [];
  // A worker may have a correct copy of the directory.
  if (problem)
    troubles.push({
      ...{ pipeline, state: 'not_valid', since },
      problem: isServed ? { ...problem, hint: `${problem.hint} ${STILL_RUNS}` } : problem,
    });
  else if (!isServed) troubles.push({ pipeline, state: 'no_worker', problem: noWorker(row), since });
  if (scheduleProblem !== null)
    troubles.push({
      ...{ pipeline, state: 'no_schedule', since: null },
      problem: trouble('NO_SCHEDULE', scheduleProblem, 'Correct the schedule of the pipeline.'),
    });
  return troubles;
}

const STILL_RUNS = 'Until then, workers with a correct copy sync by the former schedule.';

/** Why a run of the pipeline does not begin. Undefined if a worker serves the pipeline. */
export async function readBlocker(
  session: ControlSession,
  pipeline: string,
  silentSeconds: number,
): Promise<Blocker | undefined> {
  const { rows } = await session.query(READ_TROUBLE, [pipeline, silentSeconds]);
  const row = troubledPipeline.optional().parse(rows[0]);
  const [trouble] = row && !row.isServed ? pipelineTroubles(row) : [];
  return trouble && { ...trouble.problem, since: trouble.since };
}

export type Blocker = FailureRow & { readonly since: Date | null };

function noWorker({ workers, lacks }: TroubledPipeline): FailureRow {
  const because = (message: string, hint: string) => trouble('NO_WORKER', message, hint);
  if (workers === 0)
    return because('No worker is running.', 'Start increp work, or increp serve without --no-worker.');
  if (lacks.length === 0)
    return because('No worker has the directory of this pipeline.', 'Copy the directory to a worker.');
  const causes = lacks.map(({ host, process, lacks: why }) => `${host}:${process}: ${why}`);
  return because(
    `No worker can use this pipeline. ${causes.join('; ')}`,
    'Set what is missing for a worker. After a change of its variables, restart the worker.',
  );
}

const trouble = (code: string, message: string, hint: string): FailureRow => ({
  ...{ code, message, hint, sqlstate: null },
});
