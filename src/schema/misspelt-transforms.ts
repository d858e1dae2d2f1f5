/** Names in `transform` that are probably typing mistakes: each makes a new column, and the column that was meant is copied as it is. */
import { misspelt } from '../nearest.ts';
import { expressionOf, isCopied, type Selection } from './selection.ts';

export interface MisspeltTransform {
  readonly column: string;
  /** A column of the source. */
  readonly meant: string;
}

export function misspeltTransforms(
  selection: Selection,
  sourceColumns: readonly string[],
): readonly MisspeltTransform[] {
  const plain = sourceColumns.filter(
    (column) => isCopied(selection, column) && expressionOf(selection, column) === undefined,
  );
  return selection.transform.flatMap(({ column }) => {
    const meant = sourceColumns.includes(column) ? undefined : misspelt(column, plain);
    return meant === undefined ? [] : [{ column, meant }];
  });
}

export const misspeltText = ({ column, meant }: MisspeltTransform): string =>
  `"transform" makes a new column "${column}", and "${meant}" is copied as it is`;

export const misspeltStep = ({ column, meant }: MisspeltTransform): string =>
  `If "${meant}" was meant, correct the name in "transform". If "${column}" is a new column, no action is needed.`;
