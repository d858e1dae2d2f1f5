/** Whether columns of a source table have the same values, names and types at the destination. Pure. */
import type { LeftOutReason } from '../../reasons.ts';
import { isShared } from '../../schema/row-identity.ts';
import { destinationColumn, expressionOf, isCopied } from '../../schema/selection.ts';
import type { ObjectFacts, ObjectSettings } from './wanted-types.ts';

/** What an object needs of its columns, besides their values. */
export type ColumnNeed = 'values' | 'type' | 'name-and-type';

export function columnHindrance(
  { settings: { selection }, source, columns }: Pick<ObjectFacts, 'settings' | 'source' | 'columns'>,
  uses: readonly string[],
  need: ColumnNeed,
): LeftOutReason | undefined {
  for (const column of uses) {
    const name = destinationColumn(selection, column);
    const there = columns.find((each) => each.name === name);
    if (!isCopied(selection, column) || !there) return { code: 'column-not-copied', column };
    if (expressionOf(selection, column) !== undefined) return { code: 'column-transformed', column };
    if (need === 'name-and-type' && name !== column) return { code: 'column-renamed', column };
    const type = source.columns.find((each) => each.name === column)?.type ?? there.type;
    if (need !== 'values' && type !== there.type)
      return { code: 'column-typed-otherwise', column, type, at: there.type };
  }
  return undefined;
}

/** Rows that the source does not have, or has in one version only, can have the same values. */
export function uniqueHindrance(
  settings: Pick<ObjectSettings, 'mode' | 'metadataColumns'>,
): LeftOutReason | undefined {
  if (settings.mode === 'incremental-append') return { code: 'holds-versions' };
  return isShared(settings) ? { code: 'holds-rows-of-pipelines' } : undefined;
}
