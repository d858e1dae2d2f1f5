/** What a destination table lacks of the wanted objects, and which of its copied objects are no longer wanted. Pure. */
import { isSameTable } from '../../schema/names.ts';
import type {
  FoundCheck,
  FoundDefault,
  FoundForeignKey,
  FoundIndex,
  TableObjects,
} from '../../schema/table-objects.ts';
import type { CopiedDefault } from '../../state/copied-objects-file.ts';
import { readMark } from './mark.ts';
import { unfinishedName } from './object-names.ts';
import { withoutNotValid } from './wanted-constraints.ts';
import { withColumns } from './wanted-indexes.ts';
import type { WantedConstraint, WantedDefault, WantedIndex, WantedObject } from './wanted-types.ts';

export type ObjectStep =
  /** `unfinished`: a killed run has built it already. `replaces`: the copy of an older definition. */
  | {
      readonly kind: 'create-index';
      readonly wanted: WantedIndex;
      readonly unfinished: FoundIndex | undefined;
      readonly replaces: FoundIndex | undefined;
    }
  | { readonly kind: 'drop-index'; readonly index: FoundIndex; readonly isUnfinished: boolean }
  | {
      readonly kind: 'add-constraint';
      readonly wanted: WantedConstraint;
      readonly replaces: string | undefined;
    }
  /** `name`: at the destination. */
  | { readonly kind: 'validate'; readonly wanted: WantedConstraint; readonly name: string }
  | { readonly kind: 'drop-constraint'; readonly of: WantedConstraint['kind']; readonly name: string }
  | { readonly kind: 'set-default'; readonly wanted: WantedDefault; readonly replaces: boolean }
  | { readonly kind: 'drop-default'; readonly column: string };

/**
 * A foreign key needs the rows and the unique index of both tables, so it comes when all tables are synced. It goes before
 * the unique index.
 */
export type StepStage = 'drop-foreign-keys' | 'own' | 'foreign-keys';

export const stageOf = (step: ObjectStep): StepStage =>
  step.kind === 'drop-constraint' && step.of === 'foreign key'
    ? 'drop-foreign-keys'
    : 'wanted' in step && step.wanted.kind === 'foreign key'
      ? 'foreign-keys'
      : 'own';

/** Whose objects may be dropped: those of this pipeline, or those of any if it does not share the table. */
export interface ObjectOwner {
  readonly pipeline: string;
  readonly isShared: boolean;
}

export function isOwn(comment: string | null, { pipeline, isShared }: ObjectOwner): boolean {
  const mark = readMark(comment);
  return mark !== undefined && (!isShared || mark.pipeline === pipeline);
}

interface ComparedObjects {
  readonly there: TableObjects;
  readonly owner: ObjectOwner;
  /** Whether the settings ask for constraints. If not, copied constraints stay as they are. */
  readonly hasConstraints: boolean;
  readonly hasIndexes: boolean;
  /** The defaults that increp has set. */
  readonly defaults: readonly CopiedDefault[];
}

export function compareObjects(wanted: readonly WantedObject[], comparing: ComparedObjects): ObjectStep[] {
  const indexes: WantedIndex[] = [];
  const constraints: WantedConstraint[] = [];
  const defaults: WantedDefault[] = [];
  for (const object of wanted) {
    if ('isUnique' in object) indexes.push(object);
    else if (object.kind === 'default') defaults.push(object);
    else constraints.push(object);
  }
  return [
    ...indexSteps(indexes, comparing),
    ...(comparing.hasConstraints
      ? [...constraintSteps(constraints, comparing), ...defaultSteps(defaults, comparing)]
      : []),
  ];
}

function indexSteps(
  wanted: readonly WantedIndex[],
  { there: { name, indexes }, owner, hasConstraints, hasIndexes }: ComparedObjects,
): ObjectStep[] {
  // A constraint that the settings no longer ask for is like one of a user.
  const isOurs = ({ comment, constraint }: FoundIndex) =>
    isOwn(comment, owner) && (hasConstraints || constraint === null);
  const isKept = new Set<FoundIndex>();
  const steps: ObjectStep[] = [];
  const others = indexes.filter((index) => !isOurs(index) && !isUnfinishedName(name.table, index.name));
  const hasKey = others.some(({ constraint }) => constraint?.type === 'p');
  for (const each of wanted) {
    if (others.some((index) => isAlike(each, index))) continue;
    // A table has one primary key, and unique_cols may have it.
    const object: WantedIndex =
      each.kind === 'primary key' && hasKey ? { ...each, kind: 'unique constraint' } : each;
    const copies = indexes.filter((index) => isOurs(index) && readMark(index.comment)?.name === object.name);
    const same = copies.find(({ comment, isValid }) => isValid && readMark(comment)?.hash === object.hash);
    if (same) isKept.add(same);
    else {
      const built = indexes.find((index) => index.name === unfinishedName(name.table, object.hash));
      const unfinished = built?.isValid === true ? built : undefined;
      if (unfinished) isKept.add(unfinished);
      for (const copy of copies) isKept.add(copy);
      steps.push({ kind: 'create-index', wanted: object, unfinished, replaces: copies[0] });
    }
  }
  const isAsked = ({ constraint }: FoundIndex) => constraint !== null || hasIndexes;
  const gone = indexes.flatMap((index): ObjectStep[] => {
    if (isKept.has(index)) return [];
    const isUnfinished = isUnfinishedName(name.table, index.name);
    return (isOurs(index) && isAsked(index)) || isUnfinished
      ? [{ kind: 'drop-index', index, isUnfinished }]
      : [];
  });
  return [...gone, ...steps];
}

const isUnfinishedName = (table: string, name: string): boolean =>
  /[\da-f]{12}$/.test(name) && name === unfinishedName(table, name.slice(-12));

/** Whether an index that increp did not copy does the same. */
const isAlike = (wanted: WantedIndex, { isValid, isUnique, isPlain, ...index }: FoundIndex): boolean =>
  isValid &&
  isUnique === wanted.isUnique &&
  (isPlain ? withColumns(index, (column) => column) : index.definition) === wanted.definition;

type FoundConstraint = Pick<FoundCheck, 'name' | 'isValid' | 'comment'> & { readonly definition: string };

function constraintSteps(
  wanted: readonly WantedConstraint[],
  { there, owner }: ComparedObjects,
): ObjectStep[] {
  const kinds = [
    ['check constraint', there.checks],
    ['foreign key', there.foreignKeys.map((key) => ({ ...key, definition: key.rest ?? '' }))],
  ] as const;
  return kinds.flatMap(([of, found]) => {
    const own: readonly FoundConstraint[] = found.filter(({ comment }) => isOwn(comment, owner));
    const kept = new Set<string>();
    const steps = wanted
      .filter(({ kind }) => kind === of)
      .flatMap((object): ObjectStep[] => {
        const copy = own.find(({ comment }) => readMark(comment)?.name === object.name);
        if (copy) kept.add(copy.name);
        if (copy && readMark(copy.comment)?.hash === object.hash)
          return object.isValid && !copy.isValid
            ? [{ kind: 'validate', wanted: object, name: copy.name }]
            : [];
        return hasAlike(object, there, owner)
          ? []
          : [{ kind: 'add-constraint', wanted: object, replaces: copy?.name }];
      });
    const gone = own.filter(({ name }) => !kept.has(name));
    return [...gone.map(({ name }) => ({ kind: 'drop-constraint', of, name }) as const), ...steps];
  });
}

/** Whether users have created the constraint already. */
const hasAlike = (wanted: WantedConstraint, { checks, foreignKeys }: TableObjects, owner: ObjectOwner) =>
  wanted.kind === 'check constraint'
    ? checks.some(
        ({ definition, comment }) =>
          !isOwn(comment, owner) && withoutNotValid(definition) === wanted.definition,
      )
    : foreignKeys.some(
        (key) => !isOwn(key.comment, owner) && wanted.parent && isAlikeKey(key, wanted, wanted.parent),
      );

/** The actions may differ, because users have decided them. */
const isAlikeKey = (
  { columns, parent, parentColumns }: FoundForeignKey,
  { definition }: WantedConstraint,
  wantedParent: WantedConstraint['parent'] & object,
): boolean =>
  isSameTable(parent, wantedParent) &&
  definition.startsWith(`FOREIGN KEY (${quotedList(columns)}) `) &&
  definition.includes(` (${quotedList(parentColumns)})`);

const quotedList = (names: readonly string[]): string =>
  names.map((name) => `"${name.replaceAll('"', '""')}"`).join(', ');

/** The default that the destination has instead of a wanted one, if increp did not set it. */
export const foreignDefault = (
  { name, expression }: WantedDefault,
  { there, defaults }: Pick<ComparedObjects, 'there' | 'defaults'>,
): FoundDefault | undefined => {
  const found = there.defaults.find(({ column }) => column === name);
  const ours = defaults.find(({ column }) => column === name);
  return found && found.expression !== expression && found.expression !== ours?.destination
    ? found
    : undefined;
};

function defaultSteps(wanted: readonly WantedDefault[], comparing: ComparedObjects): ObjectStep[] {
  const { there, defaults } = comparing;
  const at = (name: string) => there.defaults.find(({ column }) => column === name)?.expression;
  const set = wanted.flatMap((object): ObjectStep[] => {
    const now = at(object.name);
    if (now === object.expression || foreignDefault(object, comparing)) return [];
    const ours = defaults.find(({ column }) => column === object.name);
    const isSet = now !== undefined && ours?.source === object.expression;
    return isSet ? [] : [{ kind: 'set-default', wanted: object, replaces: now !== undefined }];
  });
  const gone = defaults.filter(
    ({ column, destination }) => at(column) === destination && !wanted.some(({ name }) => name === column),
  );
  return [...gone.map(({ column }) => ({ kind: 'drop-default', column }) as const), ...set];
}
