/** What happens to rows that are gone from the source, and to columns that the source no longer has. */

export const DELETES = ['ignore', 'keep', 'hard', 'soft'] as const;
export type Deletes = (typeof DELETES)[number];

interface Deleting {
  readonly deletes: Deletes;
}

/** Whether increp compares the keys of both sides to find rows that are gone from the source. */
export const findsDeleted = ({ deletes }: Deleting): boolean => deletes === 'hard' || deletes === 'soft';

/** Whether such rows stay in the destination table, whatever is loaded again. */
export const keepsDeleted = ({ deletes }: Deleting): boolean => deletes === 'keep' || deletes === 'soft';

/** With "soft", a row that is gone from the source is marked and stays. */
export const removalVerb = ({ deletes }: Deleting): 'mark' | 'remove' =>
  deletes === 'soft' ? 'mark' : 'remove';
