/** The statements that merge the staging table into the destination table, and their counts. */
import type pg from 'pg';
import * as z from 'zod';
import { IncrepError } from '../../errors.ts';
import { codeOf } from '../../postgres/identity.ts';
import { onUsualPath, queryEach, type Beside } from '../../postgres/user-search-path.ts';
import { printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { isUniqueBy } from '../../schema/relations.ts';
import {
  AS_IT_WAS,
  BY_INDEX,
  counted,
  keepNewest,
  mergePasses,
  type Merge,
  type MergePass,
  replaceStatements,
  unsettable,
} from '../../sql/merge.ts';
import type { MetadataColumnDefinition } from '../../sql/metadata-columns.ts';
import { addMissing, removeSurplus } from '../../sql/merge-keyless.ts';
import { rowKey } from '../../schema/row-identity.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { metadataColumnsOf } from './metadata-columns.ts';
import { isSameList } from '../../schema/columns.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

export interface MergeCounts {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Rows that stay because the row of the destination is newer. */
  readonly newer: number;
}

export const NO_COUNTS: MergeCounts = { inserted: 0, updated: 0, deleted: 0, newer: 0 };

export function mergeOf(facts: CopyFacts, source: Relation): Merge {
  const { settings, destination, destinationName, stagingName, servers } = facts;
  const metadataColumns = metadataColumnsOf(facts);
  const key = rowKey(settings);
  const isNullable = (name: string) =>
    source.columns.find((column) => column.name === name)?.isNotNull === false;
  return {
    destination: destinationName,
    staging: stagingName,
    columns: source.columns.map(({ name }) => name),
    mergeKey: key,
    replicationKey: settings.replicationKey,
    nullableKey: key.filter(isNullable),
    metadataColumns,
    yieldsToNewer: settings.onConflict === 'last_update_wins',
    fixed: (destination?.columns ?? [])
      .filter(
        ({ name, identity }) => identity === 'a' && source.columns.some((column) => column.name === name),
      )
      .map(({ name }) => name),
    kept: keptColumns(destination, source, metadataColumns),
    canMerge: servers.destination.version >= 150000 && destination?.hasRules !== true,
    hasSameColumns:
      metadataColumns.length === 0 &&
      destination !== undefined &&
      isSameList(destination.columns, source.columns),
  };
}

/** Columns that users added. Their values are kept if a row is deleted and inserted again. */
const keptColumns = (
  destination: Relation | undefined,
  source: Relation,
  metadataColumns: readonly MetadataColumnDefinition[],
): readonly string[] =>
  (destination?.columns ?? [])
    .filter(({ generated }) => generated === '')
    .map(({ name }) => name)
    .filter((name) => ![...source.columns, ...metadataColumns].some((column) => column.name === name));

/** How much of the table the staging table holds. `whole`: rows that it lacks are gone from the source. */
export type Share = 'few' | 'many' | 'whole';

/** Which steps a merge has, and in which order. */
export interface MergeOrder {
  /** When rows that the staging table lacks are removed. */
  readonly removes: 'first' | 'last' | 'never';
  /** New rows are written before changed rows. */
  readonly insertsFirst: boolean;
  /** Set if changed rows are deleted and inserted again: the columns that users added. */
  readonly replaces: readonly string[] | undefined;
}

const orderFor = (share: Share): MergeOrder => ({
  removes: share === 'whole' ? 'first' : 'never',
  insertsFirst: false,
  replaces: undefined,
});

/** Triggers, checks and indexes of users run for the written rows, so the statements use the usual search_path. */
export const mergeStaging = (
  client: pg.ClientBase,
  merge: Merge,
  share: Share,
  order: MergeOrder = orderFor(share),
  beside?: Beside,
): Promise<MergeCounts> => onUsualPath(client, () => mergeRows(client, merge, share, order), beside);

async function mergeRows(
  client: pg.ClientBase,
  merge: Merge,
  share: Share,
  order: MergeOrder,
): Promise<MergeCounts> {
  if (merge.mergeKey.length === 0) return mergeCopies(client, merge);
  const passes = mergePasses(merge);
  let counts = NO_COUNTS;
  const remove = async () => {
    for (const pass of passes)
      counts = plus(counts, { deleted: affectedRows(await client.query(pass.remove)) });
  };
  if (order.removes === 'first') await remove();
  for (const statement of replacements(merge, order))
    counts = plus(counts, { updated: affectedRows(await client.query(statement)) });
  for (const pass of passes) {
    const run = (statement: string) =>
      share === 'few' && pass.isIndexed ? runByIndex(client, statement) : client.query(statement);
    if (pass.countNewer !== undefined) counts = plus(counts, await countNewer(run, pass.countNewer));
    const write = merge.canMerge && !order.insertsFirst ? mergeAtOnce : mergeInTwo(order);
    counts = plus(counts, await (merge.yieldsToNewer ? besideWriters(merge, write) : write)(run, pass));
  }
  if (order.removes === 'last') await remove();
  return counts;
}

function replacements(merge: Merge, { replaces }: MergeOrder): readonly string[] {
  if (replaces) return replaceStatements(merge, replaces, 'differing');
  return unsettable(merge).length === 0 ? [] : replaceStatements(merge, merge.kept, 'fixed');
}

/** Without a key, a changed row counts as one removed and one added row. */
async function mergeCopies(client: pg.ClientBase, merge: Merge): Promise<MergeCounts> {
  const deleted = affectedRows(await client.query(removeSurplus(merge)));
  return { ...NO_COUNTS, deleted, inserted: affectedRows(await client.query(addMissing(merge))) };
}

/** Another session may have inserted the same row after the statement searched for it. A retry then updates that row. */
const besideWriters =
  ({ destination }: Merge, write: typeof mergeAtOnce): typeof mergeAtOnce =>
  async (run, pass) => {
    try {
      return await write(run, pass);
    } catch (error) {
      if (codeOf(error) !== SQLSTATE.uniqueViolation) throw error;
      throw new IncrepError('CONFLICT', {
        what: `a row of the source conflicts with another row of ${printName(destination)}: ${error instanceof Error ? error.message : ''}`,
        next: 'Run increp again. If the error stays, drop the unique index or change the row that has the value at the destination.',
        sqlstate: SQLSTATE.uniqueViolation,
        cause: error,
      });
    }
  };

type RunStatement = (statement: string) => Promise<pg.QueryResult>;

/** Sets the planner options, runs the statement and resets the options, in one message. */
async function runByIndex(client: pg.ClientBase, statement: string): Promise<pg.QueryResult> {
  const results = await queryEach(client, [...BY_INDEX, statement, ...AS_IT_WAS]);
  const [answer] = results.slice(BY_INDEX.length);
  if (!answer) throw new Error('a merge was not answered');
  return answer;
}

async function mergeAtOnce(run: RunStatement, { merge }: MergePass): Promise<Partial<MergeCounts>> {
  const [row] = explained.parse((await run(counted(merge))).rows);
  const [{ Plan: plan }] = row['QUERY PLAN'];
  return { inserted: plan['Tuples Inserted'], updated: plan['Tuples Updated'] };
}

const done = z.object({ 'Tuples Inserted': z.number(), 'Tuples Updated': z.number() });
const explained = z.tuple([z.object({ 'QUERY PLAN': z.tuple([z.object({ Plan: done })]) })]);

/** Updates existing rows and then inserts new rows, or the other way round. */
const mergeInTwo =
  ({ insertsFirst }: MergeOrder): typeof mergeAtOnce =>
  async (run, { update, insert }) => {
    const before = insertsFirst ? affectedRows(await run(insert)) : 0;
    const updated = affectedRows(await run(update));
    return { updated, inserted: insertsFirst ? before : affectedRows(await run(insert)) };
  };

async function countNewer(run: RunStatement, statement: string): Promise<Partial<MergeCounts>> {
  const { rows } = z.object({ rows: z.number() }).parse((await run(statement)).rows[0]);
  return { newer: rows };
}

const affectedRows = ({ rowCount }: pg.QueryResult): number => rowCount ?? 0;

const plus = (counts: MergeCounts, more: Partial<MergeCounts>): MergeCounts => ({
  inserted: counts.inserted + (more.inserted ?? 0),
  updated: counts.updated + (more.updated ?? 0),
  deleted: counts.deleted + (more.deleted ?? 0),
  newer: counts.newer + (more.newer ?? 0),
});

/** Returns how many older rows with the same unique key were left out. If the source enforces the key, there are none. */
export async function dropOlderVersions(
  client: pg.ClientBase,
  merge: Merge,
  source: Relation,
): Promise<number> {
  return merge.mergeKey.length === 0 || isUniqueBy(source, merge.mergeKey)
    ? 0
    : affectedRows(await client.query(keepNewest(merge)));
}
