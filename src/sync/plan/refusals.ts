/** Reasons that prevent a sync of a table. Pure. */
import { IncrepError } from '../../errors.ts';
import { probablySwapped } from '../facts/swap-signs.ts';
import { destinationRefusals } from './destination-refusals.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { Claim } from '../facts/unclaimed.ts';
import type { PlanRequest } from './plan.ts';
import { sourceRefusals } from './source-refusals.ts';

/**
 * All of them, so that the user can fix them in one round. If the state is of another source, this explains why a table is
 * missing at the source, so it comes first.
 */
export function refusalsOf(now: TableFacts): readonly IncrepError[] {
  const { saved, source } = now;
  if (saved.kind !== 'foreign') return [...sourceRefusals(now), ...destinationRefusals(now)];
  if (saved.isSwapped) return destinationRefusals(now);
  return source
    ? [...sourceRefusals(now), ...destinationRefusals(now)]
    : [...destinationRefusals(now), ...sourceRefusals(now)];
}

export const refusalOf = (now: TableFacts): IncrepError | undefined => refusalsOf(now)[0];

/** The direction comes before everything else: a GRANT for a swapped pipeline would be run at the real source. */
export const swapRefusal = (
  { swapSign }: Pick<TableFacts, 'swapSign'>,
  { isForced }: Claim,
): IncrepError | undefined => (isForced === true ? undefined : probablySwapped(swapSign));

/** A wrong name of a database or schema would load all tables there. A flag that loads them confirms the name. */
export function elsewhereRefusal(
  { saved, servers, unclaimed, destinationName }: TableFacts,
  { isFullRefresh, claim }: Pick<PlanRequest, 'isFullRefresh' | 'claim'>,
): IncrepError | undefined {
  if (saved.kind !== 'none' || saved.elsewhere === undefined) return undefined;
  if (unclaimed || isFullRefresh || claim) return undefined;
  const { kind, name: former } = saved.elsewhere;
  if (kind === 'schema') {
    const { schema } = destinationName;
    return new IncrepError('STATE_MISMATCH', {
      what: `the destination schema is "${schema}" (DEST_SCHEMA), where this pipeline has written nothing yet; its tables are in schema "${former}", and a sync would load them again into "${schema}"`,
      next: `If the name is wrong, set DEST_SCHEMA to "${former}" again. If the schema is right, load all tables into "${schema}": "increp sync --full-refresh".`,
    });
  }
  const { database } = servers.destination;
  return new IncrepError('STATE_MISMATCH', {
    what: `DEST_URL or DEST_DB names database "${database}", where this pipeline has written nothing yet; its tables are in database "${former}", and a sync would load all of them again into "${database}"`,
    next: `If the name is wrong, set it to "${former}" again. If the destination moved, load all tables into "${database}": "increp sync --full-refresh".`,
  });
}
