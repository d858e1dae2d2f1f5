/** Indexes, primary keys and unique constraints of a source table that belong at the destination. Pure. */
import { destinationColumn } from '../../schema/selection.ts';
import type { FoundIndex, FoundKey } from '../../schema/table-objects.ts';
import { ident } from '../../sql/identifiers.ts';
import { columnHindrance, uniqueHindrance } from './fitting-columns.ts';
import { definitionHash } from './mark.ts';
import type { LeftOutObject, ObjectFacts, WantedIndex } from './wanted-types.ts';

export const wantedIndexes = (facts: ObjectFacts): (WantedIndex | LeftOutObject)[] =>
  facts.source.indexes.filter(({ isValid }) => isValid).flatMap((index) => wantedIndex(facts, index) ?? []);

/** Undefined if the settings do not ask for it. */
function wantedIndex(facts: ObjectFacts, index: FoundIndex): WantedIndex | LeftOutObject | undefined {
  const { settings } = facts;
  const { name, isUnique, isPlain, constraint } = index;
  const kind = kindOf(settings.constraints === 'copy' ? constraint : null);
  if (kind === 'index' && settings.indexes !== 'copy' && constraint?.type !== 'x') return undefined;
  if (constraint?.type === 'x')
    return { kind, name, reason: { code: 'exclusion', definition: constraint.definition } };
  const reason =
    columnHindrance(facts, index.uses, isPlain ? 'values' : 'name-and-type') ??
    (isUnique ? uniqueHindrance(settings) : undefined);
  if (reason) return { kind, name, reason };
  const definition = isPlain
    ? withColumns(index, (column) => destinationColumn(settings.selection, column))
    : (index.definition ?? undefined);
  if (definition === undefined) return { kind, name, reason: { code: 'unknown-form' } };
  const deferrable = kind === 'index' || !constraint ? '' : deferrableText(constraint);
  const hash = definitionHash(kind, isUnique, definition, deferrable);
  return { kind, name, isUnique, definition, deferrable, hash };
}

const kindOf = (constraint: FoundKey | null): WantedIndex['kind'] =>
  constraint?.type === 'p' ? 'primary key' : constraint?.type === 'u' ? 'unique constraint' : 'index';

const deferrableText = ({ isDeferrable, isDeferred }: FoundKey): string =>
  isDeferrable ? ` DEFERRABLE${isDeferred ? ' INITIALLY DEFERRED' : ''}` : '';

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
  const escaped = column.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
  const at = text.search(new RegExp(String.raw`(?<=\(|, )${escaped}(?=[ ,)])`));
  return at < 0 ? undefined : at;
}
