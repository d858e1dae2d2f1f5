/** After a full disk: the server removes the rows of the failed sync, but the file of the staging table keeps their space. */
import { attempt, reworded, type IncrepError } from '../../errors.ts';
import { printName } from '../../schema/names.ts';
import { truncate } from '../../sql/destination.ts';
import { forgetLoad } from '../../sql/loads.ts';
import { endpointOf } from '../../postgres/endpoint.ts';
import type { RunContext } from '../context/run-context.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { DraftPlan, Plan } from '../plan/plan.ts';

/**
 * Empties the staging table that such a sync uses again, or that has the chunks of a load which the sync discards. A load
 * makes a new one, which is gone with its transaction, and a load in chunks continues with its own. Returns any error other than DISK_FULL unchanged.
 */
export const withStagingSpace = async (
  context: Pick<RunContext, 'destination'>,
  facts: TableFacts,
  plan: DraftPlan | Plan | undefined,
  error: IncrepError,
): Promise<IncrepError> =>
  plan && isKept(plan, facts.pendingLoad) ? withEmptiedStaging(context, facts, error) : error;

/** For a sync or a repair that uses the staging table again. */
export async function withEmptiedStaging(
  { destination }: Pick<RunContext, 'destination'>,
  { staging, stagingName, stateName, pendingLoad }: TableFacts,
  error: IncrepError,
): Promise<IncrepError> {
  if (error.code !== 'DISK_FULL' || !staging) return error;
  if (!(error.cause instanceof Error) || endpointOf(error.cause)?.side !== 'destination') return error;
  const emptied = await attempt(() =>
    destination.withWriting([], async (client) => {
      // Waits up to lock_timeout: the server reports an error before it releases the locks of the failed transaction.
      await client.query(truncate(stagingName));
      if (pendingLoad) await client.query(forgetLoad(stateName.schema), [stateName.table]);
    }),
  );
  if (emptied.kind !== 'done') return error;
  return reworded(error, {
    what: error.message,
    next: `${error.next} increp has ${pendingLoad ? 'discarded an interrupted load and ' : ''}emptied ${printName(stagingName)}, so no rows take space there.`,
    cause: error.cause,
  });
}

const isKept = (plan: DraftPlan | Plan, pendingLoad: TableFacts['pendingLoad']): boolean =>
  plan.kind === 'incremental' ||
  (plan.kind === 'load' &&
    (plan.adoption === 'compare' ||
      (pendingLoad !== undefined && 'chunking' in plan && plan.chunking.kind === 'whole')));
