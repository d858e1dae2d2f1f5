/**
 * The staging table takes the place of the destination table. The dependent objects of the old table are created again on
 * the new table. Then the old table is dropped. If an object still depends on it, DROP fails and everything is rolled back.
 */
import { grantedByDefault } from '../../postgres/dependent-object-definitions.ts';
import { codeOf } from '../../postgres/identity.ts';
import { queryPinnedFirst } from '../../postgres/user-search-path.ts';
import { derivedName, printName } from '../../schema/names.ts';
import type {
  BuiltItem,
  BuiltRelation,
  DependentDefinitions,
} from '../../sql/dependent-object-definitions.ts';
import { commentOnTable, renameTable } from '../../sql/destination.ts';
import {
  createBuilt,
  dropBuilt,
  giveTo,
  lockView,
  lockWholly,
  refresh,
  renameBuilt,
  replaceView,
  revokeAll,
} from '../../sql/reshape.ts';
import { asUsual, type Statement } from '../../sql/search-path.ts';
import { renameIndexes, type NewTable } from './new-table.ts';
import { ASIDE, mustSurvive, refusalFrom } from './must-survive.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

export interface Exchange extends NewTable {
  readonly dependents: DependentDefinitions;
}

/** The input for creating the dependent objects of a relation again. */
export type Recreation = Pick<Exchange, 'client' | 'facts' | 'dependents' | 'columns' | 'isRehearsal'>;

const aside = ({ name }: BuiltRelation): string => derivedName(name.table, ASIDE);

/** Views come before the relations that they read, in the order in which a reader locks them. */
export const locksFor = ({ dependents: { table, views, items } }: Exchange): string[] => [
  ...views.toReversed().map(lockView),
  ...items.flatMap(({ other }) => (other ? [lockWholly(other)] : [])),
  lockWholly(table.name),
  ...items.flatMap(({ lock }) => (lock === null ? [] : [asUsual(lock)])),
];

export async function exchange(work: Exchange): Promise<void> {
  const { client, facts, dependents } = work;
  const { table, views } = dependents;
  await must(work, 'the old table', renameBuilt(table, aside(table)));
  await client.query(renameTable(facts.stagingName, table.name.table));
  await client.query(commentOnTable(table.name, null));
  await dress(work, table);
  const recreated = [table];
  for (const view of views) {
    const isAffected = recreated.some(({ oid }) => view.dependsOn.includes(oid));
    if (isAffected && !(await isReplaced(work, view))) {
      await recreate(work, view);
      recreated.push(view);
    }
  }
  for (const { what, undo } of itemsOf(work, table, 'dropped'))
    if (undo !== null) await must(work, what, undo);
  for (const old of recreated.toReversed()) await dropOld(work, old);
  await renameIndexes(work);
  for (const relation of recreated)
    for (const each of itemsOf(work, relation, 'dropped')) await make(work, relation, each);
  for (const view of recreated)
    if (view.kind === 'materialized view' && view.isPopulated && !work.isRehearsal)
      await must(work, describeRelation(view), refresh(view));
}

export const must = (
  work: Pick<Recreation, 'client' | 'facts'>,
  what: string,
  sql: Statement,
): Promise<void> => mustSurvive(work.client, work.facts.destinationName, what, sql);

export const describeRelation = ({ kind, name }: BuiltRelation): string => `${kind} ${printName(name)}`;

const dropOld = (work: Exchange, old: BuiltRelation): Promise<void> =>
  must(
    work,
    old.kind === 'table' ? 'its dependent objects' : `dependent objects of ${describeRelation(old)}`,
    dropBuilt({ schema: old.name.schema, table: aside(old) }, old.kind),
  );

/** CREATE OR REPLACE VIEW keeps a view and its dependent objects if the columns of the view do not change. */
async function isReplaced(work: Exchange, view: BuiltRelation): Promise<boolean> {
  if (view.kind !== 'view') return false;
  const { client } = work;
  await client.query('SAVEPOINT increp_view');
  try {
    await queryPinnedFirst(client, replaceView(view));
  } catch (error) {
    if (!hasOtherColumns(error)) throw refusalFrom(error, work.facts.destinationName, describeRelation(view));
    await client.query('ROLLBACK TO SAVEPOINT increp_view');
    return false;
  }
  await client.query('RELEASE SAVEPOINT increp_view');
  return true;
}

/** 42P16 invalid_table_definition: "cannot change data type of view column ..." (PostgreSQL 14 to 18). */
const hasOtherColumns = (error: unknown): boolean => codeOf(error) === SQLSTATE.invalidTableDefinition;

async function recreate(work: Exchange, view: BuiltRelation): Promise<void> {
  await must(work, describeRelation(view), renameBuilt(view, aside(view)));
  await must(work, describeRelation(view), createBuilt(view));
  await dress(work, view);
}

/** Gives a new relation the properties of the old one. Grants from default privileges that the old one lacked are revoked. */
export async function dress(work: Recreation, relation: BuiltRelation): Promise<void> {
  const { client } = work;
  for (const grantee of await grantedByDefault(client, relation.name))
    await client.query(revokeAll(relation.name, grantee));
  for (const each of itemsOf(work, relation, 'renamed')) await make(work, relation, each);
  if (!relation.isOurs) await must(work, describeRelation(relation), giveTo(relation));
}

/** Items of a column that the new table does not have are left out. */
export function itemsOf(
  { dependents, columns }: Recreation,
  relation: BuiltRelation,
  stage: BuiltItem['stage'],
): BuiltItem[] {
  const isOfTable = relation.oid === dependents.table.oid;
  return dependents.items.filter(
    (each) =>
      each.oid === relation.oid &&
      each.stage === stage &&
      (!isOfTable || each.columns.every((name) => columns.includes(name))),
  );
}

export const make = (
  work: Recreation,
  relation: BuiltRelation,
  { what, sql, rehearsal }: BuiltItem,
): Promise<void> =>
  must(
    work,
    relation.kind === 'table' ? what : `${what} of ${describeRelation(relation)}`,
    work.isRehearsal ? (rehearsal ?? sql) : sql,
  );
