/**
 * Dependent objects that would prevent a change of shape, according to the catalog. Pure. Only the rehearsal of
 * `reshape/` is certain, but it writes, so a plan cannot use it.
 */
import type { Dependent } from '../../postgres/dependent-object-list.ts';
import type { Relation } from '../../schema/relations.ts';
import { ident } from '../../sql/identifiers.ts';
import type { TableFacts } from '../facts/facts.ts';
import { alterationFor, columnsToDrop } from './alteration.ts';
import { describeDependent, dropByHand, ownerGrants } from './drop-by-hand.ts';
import { reloadHindrance } from './reload-guard.ts';
import { renameAdvice, renameBack } from './renamed-columns.ts';

export interface Obstruction {
  /** A sentence: each object, with the reason why it prevents the change. */
  readonly what: string;
  readonly next: string;
}

/** Undefined if, according to the catalog, nothing prevents giving the destination table the shape of `source`. */
export function findObstruction(
  facts: TableFacts,
  source: Relation,
  dependents: readonly Dependent[],
): Obstruction | undefined {
  const gone = columnsToDrop(facts, source).map(({ name }) => name);
  const lostBy = ({ columns }: Dependent) => columns.find((name) => gone.includes(name));
  const users = dependents.filter((each) => lostBy(each) !== undefined);
  // If the table can be altered in place, other dependent objects stay untouched, whatever their owner.
  const isAltered =
    reloadHindrance(facts.settings) !== undefined || alterationFor(facts, source) !== undefined;
  const stuck = isAltered ? [] : dependents.filter((each) => !users.includes(each) && !each.canMove);
  const owned = dependents.filter(
    (each) => isItself(each) || (!isAltered && !users.includes(each) && isHindered(each)),
  );
  if (users.length + stuck.length + owned.length === 0) return undefined;
  const renamed = [...renameAdvice(facts, source), ...renameBack(facts, source)];
  return {
    what: [
      ...owned.map((each) =>
        each.isOurs
          ? `increp needs ${each.lacks.join(' and ')} for ${describeDependent(each)}`
          : `increp may not ${isItself(each) ? 'alter' : 'move'} ${describeDependent(each)}`,
      ),
      ...users.map(
        (each) => `${describeDependent(each)} uses column "${lostBy(each)}", which increp has to remove`,
      ),
      ...stuck.map((each) => `${describeDependent(each)} cannot be moved to another table`),
    ].join('; '),
    next: [
      ...ownershipStep(facts, owned),
      ...(users.length === 0 ? [] : [...renamed, keepStep(gone, renamed.length > 0)]),
      ...byHandSteps(facts, [...users, ...stuck], dependents),
    ].join('\n'),
  };
}

/** The views keep working then, and new rows have no value in the column. */
const keepStep = (gone: readonly string[], isRenamed: boolean): string =>
  `${isRenamed ? 'Or, to' : 'To'} keep the old ${gone.length === 1 ? 'column with its values' : 'columns with their values'}, set "dropped_columns": "keep" for the table. Or, to lose ${gone.length === 1 ? 'it' : 'them'}:`;

export const byHandSteps = (
  {
    destinationName,
    servers,
    settings: { name },
    destinationEndpoint: endpoint,
  }: Pick<TableFacts, 'destinationName' | 'servers' | 'settings' | 'destinationEndpoint'>,
  dropped: readonly Dependent[],
  all: readonly Dependent[],
): string[] =>
  dropByHand(
    {
      ...{ table: destinationName, name, endpoint },
      ...{ database: servers.destination.database, version: servers.destination.version },
    },
    dropped,
    all,
  );

/** Only its owner can alter or exchange the table. */
export const isItself = ({ kind }: Dependent): boolean => kind === 'table';

/** Whether increp could move it with more rights. */
export const isHindered = ({ canMove, isOurs, lacks }: Dependent): boolean =>
  canMove && (!isOurs || lacks.length > 0);

/** The role of increp should not become a member of a superuser. An object of a superuser changes its owner instead. */
export function ownershipStep(
  { destinationSchema: { role } }: Pick<TableFacts, 'destinationSchema'>,
  owned: readonly Dependent[],
): string[] {
  const others = owned.filter(({ isOurs }) => !isOurs);
  const isMembership = ({ kind, isOwnerSuper }: Dependent) => !isOwnerSuper && kind !== 'table';
  const ownership = others.map((each) => {
    if (isMembership(each)) return `GRANT ${ident(each.owner ?? '')} TO ${ident(role)}`;
    const noun = each.of !== null ? 'TABLE' : each.kind.toUpperCase();
    return `ALTER ${noun} ${each.of ?? each.name} OWNER TO ${ident(role)}`;
  });
  // They come first, because a new owner must have them. A member has the privileges of the owner.
  const lacks = owned.flatMap((each) => (each.isOurs || !isMembership(each) ? each.lacks : []));
  const grants = [
    ...lacks
      .filter((each) => !(each.startsWith('USAGE ON') && lacks.includes(each.replace(' ON', ', CREATE ON'))))
      .map((privileges) => `GRANT ${privileges} TO ${ident(role)}`),
    ...ownerGrants(others.filter(isMembership)),
  ];
  const statements = [...new Set([...grants, ...ownership])];
  if (statements.length === 0) return [];
  // Only a member of the new owner can give its table away.
  const who =
    others.length === 0
      ? 'the owner of the schema or a superuser'
      : grants.length === 0 && others.every(isMembership)
        ? 'a superuser or a role that may grant membership'
        : 'a superuser';
  return [`At the destination, run as ${who}: ${statements.join('; ')}`];
}
