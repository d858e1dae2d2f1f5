/** Sentences about keys, for `check`, `plan` and `sync`. */
import type { Missed } from '../schema/key-candidates.ts';
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

/** What the key does not show, and what to do about it. */
export const missedTexts = (key: string, missed: Missed): { readonly what: string; readonly step: string } =>
  missed === 'updates'
    ? {
        what: `"${key}" seems to be set only when a row is inserted, so increp copies new rows but not updates`,
        step: `If each new row has a higher ${key}, and rows never change, no action is needed. Otherwise use a column that every change sets, or "mode": "full-refresh".`,
      }
    : {
        what: `"${key}" is not unique, and neither a default nor a sequence sets it, so new rows with ${key} below the cursor are NOT copied, and updates are not copied`,
        step: `Use "mode": "full-refresh", or a column that every change sets. Only if each new row has a higher ${key} than the rows before it, and rows never change, no action is needed.`,
      };
