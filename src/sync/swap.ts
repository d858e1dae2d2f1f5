/** The loaded staging table takes the name of the table, within the transaction that loaded it. */
import type pg from 'pg';
import { IncrepError } from '../errors.ts';
import { describeBelongings } from '../postgres/catalog.ts';
import { derivedName, printName } from '../schema/names.ts';
import { uniqueIndexOn, type Relation } from '../schema/relations.ts';
import { indexOn, restoreBelongings, type Belongings } from '../sql/belongings.ts';
import {
  DELETED_AT,
  commentOnTable,
  createMergeKey,
  dropTable,
  renameIndex,
  renameTable,
} from '../sql/destination.ts';
import type { TableFacts } from './facts.ts';
import { indexNameFor, makeRoomFor } from './index-names.ts';
import type { LoadPlan } from './plan.ts';

/** What has to be known, and may refuse the swap, before anything is read from the source. */
export async function inspectOldTable(
  client: pg.ClientBase,
  facts: TableFacts,
  { source }: LoadPlan,
): Promise<Belongings | undefined> {
  const { destination, saved, settings } = facts;
  if (!destination) return undefined;
  const formerKey = saved.kind === 'record' ? saved.record.mergeKey : settings.mergeKey;
  const belongings = await describeBelongings(
    client,
    destination.oid,
    uniqueIndexOn(destination, formerKey)?.index ?? '',
  );
  const obstacles = [...belongings.obstacles, ...foreignColumns(facts, source, destination)];
  if (obstacles.length > 0) {
    throw new IncrepError('DEPENDENTS', {
      what: `${printName(destination.name)} must be replaced by a table of another shape, and these would not survive: ${obstacles.join(', ')}`,
      next: 'The old table goes on serving. Drop or move them (keep their definitions), run "increp sync" again, and create them anew.',
    });
  }
  return belongings;
}

/** Columns that people have added: neither in the source now nor when the copy was made. */
function foreignColumns({ saved }: TableFacts, source: Relation, destination: Relation): string[] {
  const known = [
    DELETED_AT,
    ...[...source.columns, ...(saved.kind === 'record' ? saved.record.shape.columns : [])].map(
      ({ name }) => name,
    ),
  ];
  return destination.columns
    .filter(({ name }) => !known.includes(name))
    .map(({ name }) => `column "${name}"`);
}

/** The index that keeps the merge key unique; and, on the staging table, those that people had on the old one. */
export async function indexStaging(
  client: pg.ClientBase,
  { stagingName, settings }: TableFacts,
  { source }: LoadPlan,
  belongings: Belongings | undefined,
): Promise<void> {
  const isNotNull = settings.mergeKey.every(
    (name) => source.columns.find((column) => column.name === name)?.isNotNull === true,
  );
  await client.query(
    createMergeKey(stagingName, stagingIndex(stagingName.table, '_pkey'), settings.mergeKey, isNotNull),
  );
  for (const [index, name] of keptIndexes(belongings, source, stagingName.table)) {
    const statement = indexOn(index, stagingName, name);
    if (statement === undefined)
      throw new Error(`index ${index.name} has a definition of an unknown form: ${index.definition}`);
    await client.query(statement);
  }
}

/** With the names they have until the swap. An index on a column that is gone goes with it. */
function keptIndexes(
  belongings: Belongings | undefined,
  source: Relation,
  staging: string,
): [Belongings['indexes'][number], string][] {
  const isKept = (column: string) => source.columns.some(({ name }) => name === column);
  return (belongings?.indexes ?? [])
    .filter(({ columns }) => columns.every(isKept))
    .map((index, place) => [index, stagingIndex(staging, `_idx${place}`)]);
}

const stagingIndex = (staging: string, suffix: string): string => derivedName(staging, suffix);

export async function swap(
  client: pg.ClientBase,
  facts: TableFacts,
  { source }: LoadPlan,
  belongings: Belongings | undefined,
): Promise<void> {
  const { destination, destinationName, stagingName } = facts;
  if (destination) await client.query(dropTable(destinationName));
  else await makeRoomFor(client, destinationName);
  await client.query(renameTable(stagingName, destinationName.table));
  await client.query(commentOnTable(destinationName, destination?.comment ?? null));
  await renameMergeKey(client, facts);
  for (const [index, name] of keptIndexes(belongings, source, stagingName.table)) {
    await client.query(renameIndex(destinationName.schema, name, index.name));
  }
  const columns = source.columns.map(({ name }) => name);
  const kept = keptIndexes(belongings, source, stagingName.table).map(([index]) => index);
  for (const statement of belongings
    ? restoreBelongings(destinationName, { ...belongings, indexes: kept }, columns)
    : []) {
    await client.query(statement);
  }
}

/** To the name that Postgres would have given it, unless something else has it. */
const renameMergeKey = async (
  client: pg.ClientBase,
  { destinationName, stagingName }: TableFacts,
): Promise<void> => {
  const wanted = await indexNameFor(client, destinationName);
  await client.query(renameIndex(destinationName.schema, stagingIndex(stagingName.table, '_pkey'), wanted));
};
