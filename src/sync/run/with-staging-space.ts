/** After a full disk: the server removes the rows of the failed sync, but the file of the staging table keeps their space. */
import { attempt, reworded, type IncrepError } from '../../errors.ts';
import { printName } from '../../schema/names.ts';
import { lockAloneNow, truncate } from '../../sql/destination.ts';
import { endpointOf } from '../../postgres/endpoint.ts';
import type { RunContext } from '../context/run-context.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { DraftPlan } from '../plan/plan.ts';

/**
 * Empties the staging table of an incremental sync. That of a load is gone with its transaction, and a load in chunks
 * continues with its own. Returns any error other than DISK_FULL unchanged.
 */
export async function withStagingSpace(
  { destination }: Pick<RunContext, 'destination'>,
  { staging, stagingName, pendingLoad }: TableFacts,
  plan: DraftPlan | undefined,
  error: IncrepError,
): Promise<IncrepError> {
  if (error.code !== 'DISK_FULL' || plan?.kind !== 'incremental' || !staging || pendingLoad) return error;
  if (!(error.cause instanceof Error) || endpointOf(error.cause)?.side !== 'destination') return error;
  const emptied = await attempt(() =>
    destination.withWriting([], (client) =>
      client.query(`${lockAloneNow(stagingName)}; ${truncate(stagingName)}`),
    ),
  );
  if (emptied.kind !== 'done') return error;
  return reworded(error, {
    what: error.message,
    next: `${error.next} increp has emptied ${printName(stagingName)}, so nothing of this sync takes space there.`,
    cause: error.cause,
  });
}
