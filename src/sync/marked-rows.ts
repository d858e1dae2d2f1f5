/** Rows that `deletes: "soft"` has marked: a load must not lose them. */
import type pg from 'pg';
import { carriedType, type Column } from '../schema/columns.ts';
import type { Relation } from '../schema/relations.ts';
import { addDeletedAt, copyMarked, DELETED_AT } from '../sql/destination.ts';
import type { TableFacts } from './facts.ts';

/** How a loaded staging table becomes the table, once it is known what a change of shape means for it. */
export type Placement = 'create' | 'merge-whole' | 'exchange' | 'alter';

export const hasMark = (relation: Relation | undefined): boolean =>
  relation?.columns.some(({ name }) => name === DELETED_AT) === true;

/** The mark's column, where `deletes: "soft"` came after the table. */
export async function ensureMark(
  client: pg.ClientBase,
  { settings, destination, destinationName }: TableFacts,
): Promise<void> {
  if (settings.deletes === 'soft' && !hasMark(destination)) await client.query(addDeletedAt(destinationName));
}

/** The mark's column, where the rows will live. */
export async function prepareMarks(
  client: pg.ClientBase,
  facts: TableFacts,
  placement: Placement,
): Promise<void> {
  if (placement === 'merge-whole' || placement === 'alter') return ensureMark(client, facts);
  if (facts.settings.deletes === 'soft') await client.query(addDeletedAt(facts.stagingName));
}

/**
 * Takes rows that are gone from the source over into the new table, as far as its shape has room for them: the
 * columns that both have. Where the new shape demands more than the old rows have, they stay behind.
 */
export async function keepMarked(client: pg.ClientBase, facts: TableFacts, source: Relation): Promise<void> {
  const { destination, destinationName, stagingName, settings, natives } = facts;
  if (!destination || !hasMark(destination)) return;
  const isShared = ({ name, type }: Column) =>
    destination.columns.some((column) => column.name === name && column.type === type);
  const shared = source.columns.filter((column) =>
    isShared({ ...column, type: carriedType(column, natives) }),
  );
  const key = shared.filter(({ name }) => settings.mergeKey.includes(name));
  const isComplete = source.columns.every((column) => shared.includes(column) || !column.isNotNull);
  if (!isComplete || key.length < settings.mergeKey.length) return;
  await client.query(
    copyMarked(
      destinationName,
      stagingName,
      shared.map(({ name }) => name),
      key,
    ),
  );
}
