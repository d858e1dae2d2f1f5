/** Sentences about indexes and constraints that increp copies. */
import { listed } from '../format.ts';
import {
  ANY,
  type LeftOutReason,
  type NamedObject,
  type ObjectChange,
  type PlannedObject,
} from '../reasons.ts';
import { textFor, type Texts } from './coded-text.ts';

/** Such as: index "orders_email_idx". */
export const objectText = ({ kind, name }: NamedObject): string =>
  name === ANY ? `any ${kind}` : kind === 'default' ? `default of "${name}"` : `${kind} "${name}"`;

const LEFT_OUT: Texts<LeftOutReason> = {
  'not-a-table': ({ kind }) => `a ${kind} has none`,
  'column-not-copied': ({ column }) => `the destination table has no column "${column}"`,
  'column-transformed': ({ column }) => `"transform" changes the values of "${column}"`,
  'column-renamed': ({ column }) =>
    `its expression or condition uses "${column}", which has another name there`,
  'column-typed-otherwise': ({ column, type, at }) =>
    `its expression or condition uses "${column}", which is ${type} at the source and ${at} at the destination`,
  'holds-versions': () => 'mode "incremental-append" keeps several versions of a row',
  'holds-rows-of-pipelines': () => 'the table holds rows of several pipelines',
  'parent-not-copied': ({ table }) => `this pipeline does not copy the table "${table}", to which it refers`,
  'parent-in-part': ({ table }) => `"where" leaves out rows of "${table}", to which it refers`,
  'parent-column-not-copied': ({ table, column }) =>
    `the destination does not have the values of "${column}" of "${table}", to which it refers`,
  'child-keeps-rows': ({ table }) =>
    `deleted rows are removed from "${table}", and rows that refer to them stay; set "deletes": "hard" for this table too`,
  'default-differs': ({ at }) => `the destination has another default, which increp did not set: ${at}`,
  'unknown-form': () => 'the source prints its definition in a form that increp does not know',
  actions: ({ definition }) =>
    `an action would change rows that the source still has, so the foreign key is copied without it; the whole definition is ${definition}`,
  exclusion: ({ definition }) =>
    `increp creates no exclusion constraints, because each would lock the table while it is built: ${definition}`,
};

export const leftOutText = (reason: LeftOutReason): string => textFor(LEFT_OUT, reason);

const LISTED = 10;

/** What a run did, by what it did. */
export function changesText(changes: readonly ObjectChange[]): readonly [word: string, objects: string][] {
  const done = changes.filter(({ change }) => change !== 'refused' && change !== 'released');
  return [...Map.groupBy(done, ({ change }) => change)].map(([word, objects]) => [
    word,
    listed(objects.map(objectText), LISTED),
  ]);
}

/** For a plan, by what would be done. */
export function plannedObjectLines(
  objects: readonly PlannedObject[],
): readonly (readonly [what: string, objects: string])[] {
  const said = Map.groupBy(objects, ({ change }) => change);
  return [...said].flatMap(([what, group]): (readonly [string, string])[] =>
    what === 'leave out'
      ? group.flatMap((object) => ('reason' in object ? [[what, leftOutLine(object)] as const] : []))
      : [[what, listed(group.map(objectText), LISTED)]],
  );
}

/** Such as: index "a": the destination table has no column "b". */
export function leftOutLine(object: NamedObject & { readonly reason: LeftOutReason }): string {
  const { reason } = object;
  const part = reason.code === 'actions' ? `${reason.actions} of ` : '';
  return `${part}${objectText(object)}: ${leftOutText(reason)}`;
}

/** Refused objects are warnings, because the copy is not as the settings ask. */
export function objectWarning(change: ObjectChange): string[] {
  if (change.change === 'released')
    return [
      `increp dropped ${objectText(change)} at the destination, because it was in the way: ${change.message}`,
    ];
  if (change.change !== 'refused') return [];
  const { message, statement, isHeld } = change;
  const later = isHeld ? ' increp tries again an hour after the refusal.' : '';
  return [
    `the rows are complete, but ${objectText(change)} was refused: ${message}.${later} Statement: ${statement}`,
  ];
}
