/** Sentences about keys, for `check` and `plan`. */

interface KeyOfRows {
  readonly columns: readonly string[];
  readonly isAppend: boolean;
}

/** For unique_cols that no constraint of the source enforces. */
export const unenforcedKeyText = ({ columns, isAppend }: KeyOfRows): string =>
  `no constraint at the source keeps (${columns.join(', ')}) unique and NOT NULL; of rows with the same key, only ${isAppend ? 'one' : 'the newest'} is kept`;
