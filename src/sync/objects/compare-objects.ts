/** What a destination table lacks of the wanted objects, and which of its copied objects are no longer wanted. Pure. */
import type { FoundIndex, TableObjects } from '../../schema/table-objects.ts';
import { readMark } from './mark.ts';
import { unfinishedName } from './object-names.ts';
import { withColumns, type WantedIndex, type WantedObject } from './wanted-objects.ts';

export type ObjectStep =
  /** `unfinished`: a killed run has built it already. `replaces`: the copy of an older definition. */
  | {
      readonly kind: 'create-index';
      readonly wanted: WantedIndex;
      readonly unfinished: FoundIndex | undefined;
      readonly replaces: FoundIndex | undefined;
    }
  | { readonly kind: 'drop-index'; readonly index: FoundIndex; readonly isUnfinished: boolean };

/** Whose objects may be dropped: those of this pipeline, or those of any if it does not share the table. */
export interface ObjectOwner {
  readonly pipeline: string;
  readonly isShared: boolean;
}

export function compareObjects(
  wanted: readonly WantedObject[],
  { name, indexes }: Pick<TableObjects, 'name' | 'indexes'>,
  owner: ObjectOwner,
): ObjectStep[] {
  const isOurs = ({ comment }: FoundIndex) => isOwn(comment, owner);
  const isKept = new Set<FoundIndex>();
  const steps: ObjectStep[] = [];
  const others = indexes.filter((index) => !isOurs(index) && !isUnfinishedName(name.table, index.name));
  for (const object of wanted) {
    const copies = indexes.filter((index) => isOurs(index) && readMark(index.comment)?.name === object.name);
    const same = copies.find(({ comment, isValid }) => isValid && readMark(comment)?.hash === object.hash);
    if (same) isKept.add(same);
    else if (!others.some((index) => isAlike(object, index))) {
      const built = indexes.find((index) => index.name === unfinishedName(name.table, object.hash));
      const unfinished = built?.isValid === true ? built : undefined;
      if (unfinished) isKept.add(unfinished);
      for (const copy of copies) isKept.add(copy);
      steps.push({ kind: 'create-index', wanted: object, unfinished, replaces: copies[0] });
    }
  }
  const gone = indexes.flatMap((index): ObjectStep[] => {
    if (isKept.has(index)) return [];
    const isUnfinished = isUnfinishedName(name.table, index.name);
    return isOurs(index) || isUnfinished ? [{ kind: 'drop-index', index, isUnfinished }] : [];
  });
  return [...gone, ...steps];
}

export function isOwn(comment: string | null, { pipeline, isShared }: ObjectOwner): boolean {
  const mark = readMark(comment);
  return mark !== undefined && (!isShared || mark.pipeline === pipeline);
}

const isUnfinishedName = (table: string, name: string): boolean =>
  /[\da-f]{12}$/.test(name) && name === unfinishedName(table, name.slice(-12));

/** Whether an index that increp did not copy does the same. */
const isAlike = (wanted: WantedIndex, { isValid, isUnique, isPlain, ...index }: FoundIndex): boolean =>
  isValid &&
  isUnique === wanted.isUnique &&
  (isPlain ? withColumns(index, (column) => column) : index.definition) === wanted.definition;
