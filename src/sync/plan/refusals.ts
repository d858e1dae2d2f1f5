/** Reasons that prevent a sync of a table. Pure. */
import type { IncrepError } from '../../errors.ts';
import { destinationRefusals } from './destination-refusals.ts';
import type { TableFacts } from '../facts/facts.ts';
import { sourceRefusals } from './source-refusals.ts';

/** All of them, so that the user can fix them in one round. */
export const refusalsOf = (now: TableFacts): readonly IncrepError[] =>
  now.saved.kind === 'foreign' && now.saved.isSwapped
    ? destinationRefusals(now)
    : [...sourceRefusals(now), ...destinationRefusals(now)];

export const refusalOf = (now: TableFacts): IncrepError | undefined => refusalsOf(now)[0];
