/** Sentences about keys, for `check` and `plan`. */

interface KeyOfRows {
  readonly columns: readonly string[];
  readonly isAppend: boolean;
  /** A key that the source enforces. */
  readonly enforced: readonly string[] | undefined;
}

/** For unique_cols that no constraint of the source enforces. */
export const unenforcedKeyText = ({ columns, isAppend, enforced }: KeyOfRows): string =>
  `no constraint at the source keeps (${columns.join(', ')}) unique and NOT NULL${enforced === undefined ? '' : ` (one keeps (${enforced.join(', ')}))`}; of rows with the same key, only ${isAppend ? 'one' : 'the newest'} is kept`;
