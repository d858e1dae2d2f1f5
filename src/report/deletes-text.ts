/** When deleted rows were last compared: for `plan` and `status`. */
import { formatAge } from './age.ts';

/** Of a table with `deletes`. */
export interface DeletesState {
  /** When the destination table was last known to have no deleted row, in RFC 3339. Null: never. */
  readonly checkedAt: string | null;
  /** Set if the last comparison could not remove the rows. */
  readonly refusedAt: string | null;
  readonly everySeconds: number;
  /** Since the last sync, `deletes` had another value. */
  readonly isChanged?: boolean;
}

interface LastDeletes {
  /** Undefined if there was no comparison. */
  readonly ageSeconds: number | undefined;
  readonly hasFailed: boolean;
  readonly isChanged?: boolean | undefined;
}

/** A load removes deleted rows, too, so it counts as a comparison. */
export function lastDeletesText({ ageSeconds, hasFailed, isChanged }: LastDeletes): string {
  if (isChanged) return '"deletes" was changed';
  if (ageSeconds === undefined) return 'no comparison has finished yet';
  return `${hasFailed ? 'the last comparison failed' : 'last load or comparison'} ${formatAge(ageSeconds)} ago`;
}
