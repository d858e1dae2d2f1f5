/** What a change of shape would meet, judged by the catalog alone: the rehearsal, which is sure, writes. Pure. */
import type { Dependent } from '../../postgres/dependents.ts';
import type { Relation } from '../../schema/relations.ts';
import { ident } from '../../sql/identifiers.ts';
import type { TableFacts } from '../facts/facts.ts';
import { alterationFor, deferred } from './alteration.ts';

export interface Obstruction {
  /** What is in the way, each with the reason, in words. */
  readonly what: string;
  readonly next: string;
}

/** Undefined where the catalog knows of nothing that is in the way of giving the copy the shape of `source`. */
export function foreseeObstruction(
  facts: TableFacts,
  source: Relation,
  dependents: readonly Dependent[],
): Obstruction | undefined {
  const gone = deferred(facts, source).map(({ name }) => name);
  const lostBy = ({ columns }: Dependent) => columns.find((name) => gone.includes(name));
  const users = dependents.filter((each) => lostBy(each) !== undefined);
  // Where the table can be altered in place, all else stays as it is, whoever owns it.
  const isAltered = alterationFor(facts, source) !== undefined;
  const stuck = isAltered ? [] : dependents.filter((each) => !users.includes(each) && !each.canMove);
  const owned = isAltered ? [] : dependents.filter((each) => !users.includes(each) && isOthers(each));
  if (users.length + stuck.length + owned.length === 0) return undefined;
  return {
    what: [
      ...owned.map((each) => `increp may not move ${describeDependent(each)}`),
      ...users.map((each) => `${describeDependent(each)} uses column "${lostBy(each)}", which is gone`),
      ...stuck.map((each) => `${describeDependent(each)} cannot be moved to another table`),
    ].join('; '),
    next: [...ownershipStep(facts, owned), ...byHandStep([...users, ...stuck])].join(' '),
  };
}

export const isOthers = ({ canMove, isOurs }: Dependent): boolean => canMove && !isOurs;

export function describeDependent({ kind, name, of, owner, isOurs }: Dependent): string {
  const called = kind === 'other' ? name : `${kind} ${name}${of === null ? '' : ` of ${of}`}`;
  return owner === null || isOurs ? called : `${called} (owner ${owner})`;
}

/** Nobody should be made a member of a superuser for a view. */
export function ownershipStep(
  { destinationSchema: { role } }: Pick<TableFacts, 'destinationSchema'>,
  owned: readonly Dependent[],
): string[] {
  const statements = owned.map(({ kind, name, of, owner, isOwnerSuper }) => {
    if (!isOwnerSuper) return `GRANT ${ident(owner ?? '')} TO ${ident(role)}`;
    const noun = of !== null ? 'TABLE' : kind.toUpperCase();
    return `ALTER ${noun} ${of ?? name} OWNER TO ${ident(role)}`;
  });
  return statements.length === 0 ? [] : [`At the destination, run: ${[...new Set(statements)].join('; ')}`];
}

const byHandStep = (dependents: readonly Dependent[]): string[] =>
  dependents.length === 0
    ? []
    : [
        `Drop or change ${dependents.map((each) => describeDependent(each)).join(', ')} (keep the definition), and create it anew after the sync.`,
      ];
