/** Which indexes of a source table belong at the destination, in the words of the destination. Pure. */
import type { TableSettings } from '../../config/settings.ts';
import { ANY, type LeftOutReason } from '../../reasons.ts';
import { isShared } from '../../schema/row-identity.ts';
import { destinationColumn, expressionOf, isCopied } from '../../schema/selection.ts';
import type { FoundIndex, ObjectColumn, TableObjects } from '../../schema/table-objects.ts';
import { ident } from '../../sql/identifiers.ts';
import { definitionHash } from './mark.ts';

export interface WantedIndex {
  readonly kind: 'index';
  /** The name at the source. */
  readonly name: string;
  readonly isUnique: boolean;
  /** After USING, with the columns of the destination. */
  readonly definition: string;
  readonly hash: string;
}

export type WantedObject = WantedIndex;

export interface LeftOutObject {
  readonly kind: WantedObject['kind'];
  readonly name: string;
  readonly reason: LeftOutReason;
}

export interface WantedObjects {
  readonly wanted: readonly WantedObject[];
  readonly leftOut: readonly LeftOutObject[];
}

export type ObjectSettings = Pick<
  TableSettings,
  'indexes' | 'mode' | 'selection' | 'metadataColumns' | 'mergeKey'
>;

const WITHOUT_INDEXES: Readonly<Record<string, string>> = { v: 'view', f: 'foreign table' };

/** `columns`: those of the destination table. */
export function wantedObjects(
  settings: ObjectSettings,
  source: TableObjects,
  columns: readonly ObjectColumn[],
): WantedObjects {
  const kind = WITHOUT_INDEXES[source.kind];
  if (kind !== undefined)
    return { wanted: [], leftOut: [{ kind: 'index', name: ANY, reason: { code: 'not-a-table', kind } }] };
  const found = source.indexes
    .filter(({ isValid }) => isValid && settings.indexes === 'copy')
    .map((index) => wantedIndex(settings, index, { source, columns }));
  return {
    wanted: found.flatMap((each) => ('reason' in each ? [] : [each])),
    leftOut: found.flatMap((each) => ('reason' in each ? [each] : [])),
  };
}

export interface BothColumns {
  readonly source: Pick<TableObjects, 'columns'>;
  readonly columns: readonly ObjectColumn[];
}

function wantedIndex(
  settings: ObjectSettings,
  index: FoundIndex,
  columns: BothColumns,
): WantedIndex | LeftOutObject {
  const { name, isUnique, isPlain } = index;
  const leaveOut = (reason: LeftOutReason): LeftOutObject => ({ kind: 'index', name, reason });
  if (index.constraint?.type === 'x')
    return leaveOut({ code: 'exclusion', definition: index.constraint.definition });
  const hindrance =
    columnHindrance(settings, index.uses, columns, isPlain) ??
    (isUnique ? uniqueHindrance(settings) : undefined);
  if (hindrance) return leaveOut(hindrance);
  const definition = definitionAt(settings, index);
  return definition === undefined
    ? leaveOut({ code: 'unknown-form' })
    : { kind: 'index', name, isUnique, definition, hash: definitionHash('index', isUnique, definition) };
}

/** `isPlain`: the object names its columns only, so it fits another type or another name. */
function columnHindrance(
  { selection }: Pick<ObjectSettings, 'selection'>,
  uses: readonly string[],
  { source, columns }: BothColumns,
  isPlain: boolean,
): LeftOutReason | undefined {
  for (const column of uses) {
    const name = destinationColumn(selection, column);
    const there = columns.find((each) => each.name === name);
    if (!isCopied(selection, column) || !there) return { code: 'column-not-copied', column };
    if (expressionOf(selection, column) !== undefined) return { code: 'column-transformed', column };
    if (isPlain) continue;
    if (name !== column) return { code: 'column-renamed', column };
    const type = source.columns.find((each) => each.name === column)?.type ?? there.type;
    if (type !== there.type) return { code: 'column-typed-otherwise', column, type, at: there.type };
  }
  return undefined;
}

/** Rows that the source does not have, or has in one version only, can have the same values. */
function uniqueHindrance(
  settings: Pick<ObjectSettings, 'mode' | 'metadataColumns'>,
): LeftOutReason | undefined {
  if (settings.mode === 'incremental-append') return { code: 'holds-versions' };
  return isShared(settings) ? { code: 'holds-rows-of-pipelines' } : undefined;
}

/** Undefined if the server prints a form that increp does not know. */
function definitionAt(
  { selection }: Pick<ObjectSettings, 'selection'>,
  index: FoundIndex,
): string | undefined {
  return index.isPlain
    ? withColumns(index, (column) => destinationColumn(selection, column))
    : (index.definition ?? undefined);
}

/** A definition without expressions, with other names for its columns. Also the form in which definitions are compared. */
export function withColumns(
  { definition, columns, printed }: Pick<FoundIndex, 'definition' | 'columns' | 'printed'>,
  nameOf: (column: string) => string,
): string | undefined {
  if (definition === null) return undefined;
  let [written, rest] = ['', definition];
  for (const [place, column] of columns.entries()) {
    const text = printed[place] ?? '';
    const at = placeOf(rest, text);
    if (at === undefined) return undefined;
    written += rest.slice(0, at) + ident(nameOf(column));
    rest = rest.slice(at + text.length);
  }
  return written + rest;
}

/** Where the list of columns continues with this column. Undefined if it does not. */
function placeOf(text: string, column: string): number | undefined {
  const at = text.search(
    new RegExp(`(?<=\\(|, )${column.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)}(?=[ ,)])`),
  );
  return at < 0 ? undefined : at;
}
