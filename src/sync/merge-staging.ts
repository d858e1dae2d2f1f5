/** Staging table into table, counted. */
import type pg from 'pg';
import type { Relation } from '../schema/relations.ts';
import { isUniqueBy } from '../schema/relations.ts';
import { keepNewest, mergeStatements, type Merge } from '../sql/merge.ts';
import type { TableFacts } from './facts.ts';
import { isSameList } from './staging.ts';

export interface MergeCounts {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

export function mergeOf(
  { settings, destination, destinationName, stagingName }: TableFacts,
  source: Relation,
): Merge {
  const isNullable = (name: string) =>
    source.columns.find((column) => column.name === name)?.isNotNull === false;
  return {
    destination: destinationName,
    staging: stagingName,
    columns: source.columns.map(({ name }) => name),
    mergeKey: settings.mergeKey,
    replicationKey: settings.replicationKey,
    nullableKey: settings.mergeKey.filter(isNullable),
    isSoftDelete: settings.deletes === 'soft',
    hasSameColumns:
      settings.deletes !== 'soft' &&
      destination !== undefined &&
      isSameList(destination.columns, source.columns),
  };
}

/** `isWhole`: the staging table holds the whole of the source, so what it lacks is gone there. */
export async function mergeStaging(
  client: pg.ClientBase,
  merge: Merge,
  isWhole: boolean,
): Promise<MergeCounts> {
  const { remove, update, insert } = mergeStatements(merge);
  const deleted = isWhole ? await countRows(client, remove) : 0;
  const updated = await countRows(client, update);
  const inserted = await countRows(client, insert);
  return { inserted, updated, deleted };
}

/** Returns how many older rows of a merge key were left out; none where the source keeps the key unique itself. */
export async function dropOlderVersions(
  client: pg.ClientBase,
  merge: Merge,
  source: Relation,
): Promise<number> {
  return isUniqueBy(source, merge.mergeKey) ? 0 : countRows(client, [keepNewest(merge)]);
}

async function countRows(client: pg.ClientBase, statements: readonly string[]): Promise<number> {
  let rows = 0;
  for (const statement of statements) rows += (await client.query(statement)).rowCount ?? 0;
  return rows;
}
