/** Staging table into table, counted. */
import type pg from 'pg';
import { z } from 'zod';
import type { Relation } from '../schema/relations.ts';
import { isUniqueBy } from '../schema/relations.ts';
import {
  AS_IT_WAS,
  BY_INDEX,
  counted,
  keepNewest,
  mergePasses,
  type Merge,
  type MergePass,
} from '../sql/merge.ts';
import { addMissing, removeSurplus } from '../sql/copies.ts';
import type { TableFacts } from './facts.ts';
import { isSameList } from './staging.ts';

export interface MergeCounts {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

export function mergeOf(
  { settings, destination, destinationName, stagingName, servers }: TableFacts,
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
    canMerge: servers.destination.version >= 150000 && destination?.hasRules !== true,
    hasSameColumns:
      settings.deletes !== 'soft' &&
      destination !== undefined &&
      isSameList(destination.columns, source.columns),
  };
}

/** What part of the table's rows the staging table holds; what the whole lacks is gone at the source. */
export type Share = 'few' | 'many' | 'whole';

export async function mergeStaging(client: pg.ClientBase, merge: Merge, share: Share): Promise<MergeCounts> {
  if (merge.mergeKey.length === 0) return mergeCopies(client, merge);
  const passes = mergePasses(merge);
  let counts: MergeCounts = { inserted: 0, updated: 0, deleted: 0 };
  if (share === 'whole')
    for (const { remove } of passes) counts = plus(counts, { deleted: rowsOf(await client.query(remove)) });
  for (const pass of passes) {
    const run = (statement: string) =>
      share === 'few' && pass.isIndexed ? runByIndex(client, statement) : client.query(statement);
    counts = plus(counts, await (merge.canMerge ? mergeAtOnce : mergeInTwo)(run, pass));
  }
  return counts;
}

/** A row that was changed is one row less and another one more. */
async function mergeCopies(client: pg.ClientBase, merge: Merge): Promise<MergeCounts> {
  const deleted = rowsOf(await client.query(removeSurplus(merge)));
  return { deleted, inserted: rowsOf(await client.query(addMissing(merge))), updated: 0 };
}

type Run = (statement: string) => Promise<pg.QueryResult>;

/** Under settings of its own, in one message. */
async function runByIndex(client: pg.ClientBase, statement: string): Promise<pg.QueryResult> {
  const message = [...BY_INDEX, statement, ...AS_IT_WAS].join('; ');
  const results = (await client.query(message)) as unknown as readonly pg.QueryResult[];
  const [answer] = results.slice(BY_INDEX.length);
  if (!answer) throw new Error('a merge was not answered');
  return answer;
}

async function mergeAtOnce(run: Run, { merge }: MergePass): Promise<Partial<MergeCounts>> {
  const [row] = explained.parse((await run(counted(merge))).rows);
  const [{ Plan: plan }] = row['QUERY PLAN'];
  return { inserted: plan['Tuples Inserted'], updated: plan['Tuples Updated'] };
}

const done = z.object({ 'Tuples Inserted': z.number(), 'Tuples Updated': z.number() });
const explained = z.tuple([z.object({ 'QUERY PLAN': z.tuple([z.object({ Plan: done })]) })]);

/** Rows that are there first, then those that are new. */
async function mergeInTwo(run: Run, { update, insert }: MergePass): Promise<Partial<MergeCounts>> {
  const updated = rowsOf(await run(update));
  return { updated, inserted: rowsOf(await run(insert)) };
}

const rowsOf = ({ rowCount }: pg.QueryResult): number => rowCount ?? 0;

const plus = (counts: MergeCounts, more: Partial<MergeCounts>): MergeCounts => ({
  inserted: counts.inserted + (more.inserted ?? 0),
  updated: counts.updated + (more.updated ?? 0),
  deleted: counts.deleted + (more.deleted ?? 0),
});

/** Returns how many older rows of a merge key were left out; none where the source keeps the key unique itself. */
export async function dropOlderVersions(
  client: pg.ClientBase,
  merge: Merge,
  source: Relation,
): Promise<number> {
  return merge.mergeKey.length === 0 || isUniqueBy(source, merge.mergeKey)
    ? 0
    : rowsOf(await client.query(keepNewest(merge)));
}
