/** The failures that no success has followed, as this machine knows them. */
import { failureBefore, failureIn, type KnownSince, type RunRecord } from '../schema/run-record.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import { readLocalRuns } from './local-run-history.ts';
import { byTable, digestOf } from './run-stats.ts';

/** What is printed of a failure below a table that has no error now. */
export const agedFailure = (run: RunRecord, known?: KnownSince, action?: string) => ({
  ageSeconds: (Date.now() - Date.parse(run.started_at)) / 1000,
  ...failureBefore(run, known, action),
});

export const lastFailureJson = (run: RunRecord) => ({ at: run.started_at, ...failureIn(run) });

/** By the name of the destination table in the history. */
export async function readLastFailures(
  context: Pick<RunContext, 'settings'>,
  now: Date,
): Promise<ReadonlyMap<string, RunRecord>> {
  const { records } = await readLocalRuns(context);
  return new Map(
    [...byTable(records)].flatMap(([table, runs]) => {
      const { lastFailure } = digestOf(runs, now);
      return lastFailure ? [[table, lastFailure] as const] : [];
    }),
  );
}
