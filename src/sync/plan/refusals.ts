/** Reasons that prevent a sync of a table. Pure. */
import type { IncrepError } from '../../errors.ts';
import { destinationRefusals } from './destination-refusals.ts';
import type { TableFacts } from '../facts/facts.ts';
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
