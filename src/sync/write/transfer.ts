/** What a table's transaction gives back. */
import type { IncrepError } from '../../errors.ts';
import type { Reason } from '../../reasons.ts';
import type { Loader } from '../../events.ts';
import type { WasRead } from '../plan/unchanged-check.ts';
import { isAppend } from '../../schema/row-identity.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { MergeCounts } from './merge-staging.ts';

/** Rows and bytes that moved in one table's transaction. */
export interface Transfer {
  /** In place of the plan's, where only the sync has shown what it came to. */
  readonly reasons?: readonly Reason[];
  readonly loader: Loader | undefined;
  readonly rowsRead: number;
  readonly rowsInserted: number;
  readonly rowsUpdated: number;
  readonly rowsUnchanged: number;
  readonly rowsDeleted: number;
  /** Rows of the destination that were left alone because they are newer. */
  readonly rowsNewer: number;
  readonly bytes: number;
  readonly warnings: readonly string[];
  /** True when the copy is known to hold no row that is gone from the source. */
  readonly areDeletesDone: boolean;
  /** Why deletes were not carried over although everything else was. */
  readonly refusal: IncrepError | undefined;
  /** What a full refresh has read, for the next one to compare with. */
  readonly contents?: WasRead | undefined;
}

/** Of a table that nothing came of. */
export const NO_ROWS = {
  loader: undefined,
  rowsRead: 0,
  rowsInserted: 0,
  rowsUpdated: 0,
  rowsUnchanged: 0,
  rowsDeleted: 0,
  rowsNewer: 0,
  bytes: 0,
} as const;

export const NOTHING_MOVED: Transfer = {
  ...NO_ROWS,
  warnings: [],
  areDeletesDone: true,
  refusal: undefined,
};

export const countsOf = ({ inserted, updated, deleted, newer }: MergeCounts, distinctRows: number) => ({
  rowsInserted: inserted,
  rowsUpdated: updated,
  rowsUnchanged: distinctRows - inserted - updated - newer,
  rowsDeleted: deleted,
  rowsNewer: newer,
});

export const olderWarning = (rows: number, settings: TableFacts['settings']): string[] =>
  rows === 0
    ? []
    : [
        isAppend(settings)
          ? `unique_cols and ${settings.replicationKey} do not identify rows at the source: ${rows === 1 ? '1 row shared both with another and was' : `${rows} rows shared both with another and were`} left out`
          : `unique_cols do not identify rows at the source: ${rows} rows shared their key with a newer one and were left out`,
      ];
