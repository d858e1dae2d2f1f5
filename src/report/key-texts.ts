/** Sentences about keys, for `check`, `plan` and `sync`. */
import type { Relation } from '../schema/relations.ts';
import { stableKey } from '../schema/row-identity.ts';

interface KeyOfRows {
  readonly columns: readonly string[];
  readonly isAppend: boolean;
  /** A key that the source enforces. */
  readonly enforced: readonly string[] | undefined;
}

/** For unique_cols that no constraint of the source enforces. */
export const unenforcedKeyText = (
  { columns, isAppend, enforced }: KeyOfRows,
  start = 'no constraint at the source keeps',
): string =>
  `${start} (${columns.join(', ')}) unique and NOT NULL${enforced === undefined ? '' : ` (one keeps (${enforced.join(', ')}))`}; of rows with the same key, only ${isAppend ? 'one' : 'the newest'} is kept`;

/** Another key that the source enforces. */
export function otherKeyStep(
  source: Relation,
  replicationKey: string | null | undefined,
): string | undefined {
  const key = stableKey(source, replicationKey);
  return key && `If updates do not change (${key.join(', ')}), set "unique_cols": ${JSON.stringify(key)}`;
}

export const insertOnlyText = (key: string): string =>
  `"${key}" seems to be set only when a row is inserted, so increp copies new rows but not updates`;

export const INSERT_ONLY_STEP =
  'If rows never change, no action is needed. Otherwise use a column that every change sets, or "mode": "full-refresh".';
