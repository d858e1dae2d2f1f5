/** The result of the transaction of one table. */
import type { IncrepError } from '../../errors.ts';
import type { Reason } from '../../reasons.ts';
import { NO_ROWS, type EventWarnings, type Loader, type RowCounts } from '../../events.ts';
import type { WasRead } from '../plan/unchanged-check.ts';
import { isAppend } from '../../schema/row-identity.ts';
import { tableCommand } from '../../shell-word.ts';
import type { TableFacts } from '../facts/facts.ts';
import { keysAtSource } from '../facts/keys-at-source.ts';
import type { MergeCounts } from './merge-staging.ts';

/** The rows and bytes that one table's transaction read and wrote. */
export interface TableTransfer extends RowCounts {
  /** Replaces the reasons of the plan if the sync can complete them. */
  readonly reasons?: readonly Reason[];
  readonly loader: Loader | undefined;
  readonly warnings: readonly string[];
  /** Whether the destination table certainly holds no row that is gone from the source. */
  readonly areDeletesDone: boolean;
  /** Why the destination table has rows that are gone from the source, if the settings leave them there. */
  readonly lostRows?: string;
  /** Rows of the source that were compared in addition to the window. */
  readonly rowsCompared?: number;
  /** Rows that a load in chunks read a second time, and that had not changed. */
  readonly rowsReadAgain?: number;
  readonly eventWarnings?: EventWarnings;
  /** Set by a load of all rows: whether no two rows of the source have the same unique key. */
  readonly hasUniqueKeys?: boolean;
  /** The deletion log, if all rows in it were removed. */
  readonly readLog?: { readonly oid: string | null } | undefined;
  /** Why deleted rows were not removed although all other changes were written. */
  readonly refusal: IncrepError | undefined;
  /** What a full refresh read. The next full refresh compares the source with it. */
  readonly contents?: WasRead | undefined;
}

export const NOTHING_MOVED: TableTransfer = {
  ...NO_ROWS,
  warnings: [],
  areDeletesDone: true,
  refusal: undefined,
};

export const countsOf = (
  { inserted, updated, deleted, newer, conflicts }: MergeCounts,
  distinctRows: number,
) => ({
  rowsInserted: inserted,
  rowsUpdated: updated,
  rowsUnchanged: distinctRows - inserted - updated - newer,
  rowsDeleted: deleted,
  rowsNewer: newer,
  conflicts,
});

export function olderWarning(rows: number, settings: TableFacts['settings']): string[] {
  const { replicationKey, mergeKey } = keysAtSource(settings);
  const key = `unique_cols (${mergeKey.join(', ')})`;
  const find = `to see ${rows === 1 ? 'its key' : 'the keys'}, run "${tableCommand('verify', settings.name)}"`;
  return rows === 0
    ? []
    : [
        isAppend(settings)
          ? `${key} and ${replicationKey} do not identify rows at the source: ${rows === 1 ? '1 row with the same values as another row was' : `${rows} rows with the same values as another row were`} left out; ${find}`
          : `${key} do not identify rows at the source: ${rows === 1 ? '1 row with the same key as a newer row was' : `${rows} rows with the same key as a newer row were`} left out; ${find}`,
      ];
}
