/** What must be right before a table is touched: pure. */
import type { IncrepError } from '../../errors.ts';
import { destinationRefusals } from './destination-refusals.ts';
import type { TableFacts } from '../facts/facts.ts';
import { sourceRefusals } from './source-refusals.ts';

/** All that is not right, so that a person puts it right in one round. */
export const refusalsOf = (now: TableFacts): readonly IncrepError[] => [
  ...sourceRefusals(now),
  ...destinationRefusals(now),
];

/** The first of them. */
export const refusalOf = (now: TableFacts): IncrepError | undefined => refusalsOf(now)[0];
