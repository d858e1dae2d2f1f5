/** Staging table into table, counted. */
import type pg from 'pg';
import { z } from 'zod';
import { IncrepError } from '../../errors.ts';
import { codeOf } from '../../postgres/identity.ts';
import { onUsualPath, queryEach } from '../../postgres/usual-path.ts';
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
import type { OwnColumn } from '../../sql/metadata-columns.ts';
import { addMissing, removeSurplus } from '../../sql/copies.ts';
import { rowKey } from '../../schema/row-identity.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { metadataColumnsOf } from './metadata-columns.ts';
import { isSameList } from '../../schema/columns.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

export interface MergeCounts {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Left alone because the destination's is newer. */
  readonly newer: number;
}

export const NO_COUNTS: MergeCounts = { inserted: 0, updated: 0, deleted: 0, newer: 0 };

export function mergeOf(facts: CopyFacts, source: Relation): Merge {
  const { settings, destination, destinationName, stagingName, servers } = facts;
  const own = metadataColumnsOf(facts);
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
    own,
    yieldsToNewer: settings.onConflict === 'last_update_wins',
    fixed: (destination?.columns ?? [])
      .filter(
        ({ name, identity }) => identity === 'a' && source.columns.some((column) => column.name === name),
      )
      .map(({ name }) => name),
    kept: keptColumns(destination, source, own),
    canMerge: servers.destination.version >= 150000 && destination?.hasRules !== true,
    hasSameColumns:
      own.length === 0 && destination !== undefined && isSameList(destination.columns, source.columns),
  };
}

/** Columns that people have added and that a row brings back when it is inserted again. */
const keptColumns = (
  destination: Relation | undefined,
  source: Relation,
  own: readonly OwnColumn[],
): readonly string[] =>
  (destination?.columns ?? [])
    .filter(({ generated }) => generated === '')
    .map(({ name }) => name)
    .filter((name) => ![...source.columns, ...own].some((column) => column.name === name));

/** What part of the table's rows the staging table holds; what the whole lacks is gone at the source. */
export type Share = 'few' | 'many' | 'whole';

/** What is done, and in which order. */
export interface MergeOrder {
  /** When rows go that the staging table lacks. */
  readonly removes: 'first' | 'last' | 'never';
  /** Rows that are new come before those that were changed. */
  readonly insertsFirst: boolean;
  /** Columns that people have added, where changed rows are replaced and not updated. */
  readonly replaces: readonly string[] | undefined;
}

const orderFor = (share: Share): MergeOrder => ({
  removes: share === 'whole' ? 'first' : 'never',
  insertsFirst: false,
  replaces: undefined,
});

/** Rows that are written meet triggers, checks and indexes of people. */
export const mergeStaging = (
  client: pg.ClientBase,
  merge: Merge,
  share: Share,
  order: MergeOrder = orderFor(share),
): Promise<MergeCounts> => onUsualPath(client, () => mergeRows(client, merge, share, order));

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
    for (const pass of passes) counts = plus(counts, { deleted: rowsOf(await client.query(pass.remove)) });
  };
  if (order.removes === 'first') await remove();
  for (const statement of replacements(merge, order))
    counts = plus(counts, { updated: rowsOf(await client.query(statement)) });
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

/** A row that was changed is one row less and another one more. */
async function mergeCopies(client: pg.ClientBase, merge: Merge): Promise<MergeCounts> {
  const deleted = rowsOf(await client.query(removeSurplus(merge)));
  return { ...NO_COUNTS, deleted, inserted: rowsOf(await client.query(addMissing(merge))) };
}

/** Who writes to the destination as well may have added the very row, after the statement had looked for it. */
const besideWriters =
  ({ destination }: Merge, write: typeof mergeAtOnce): typeof mergeAtOnce =>
  async (run, pass) => {
    try {
      return await write(run, pass);
    } catch (error) {
      if (codeOf(error) !== SQLSTATE.uniqueViolation) throw error;
      throw new IncrepError('CONFLICT', {
        what: `a row was added to ${printName(destination)} that another one there excludes: ${error instanceof Error ? error.message : ''}`,
        next: 'If it happens again, see what that unique index is for: increp can only add the row beside it.',
        sqlstate: SQLSTATE.uniqueViolation,
        cause: error,
      });
    }
  };

type RunStatement = (statement: string) => Promise<pg.QueryResult>;

/** Under settings of its own, in one message. */
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

/** Rows that are there first, then those that are new, or the other way round. */
const mergeInTwo =
  ({ insertsFirst }: MergeOrder): typeof mergeAtOnce =>
  async (run, { update, insert }) => {
    const before = insertsFirst ? rowsOf(await run(insert)) : 0;
    const updated = rowsOf(await run(update));
    return { updated, inserted: insertsFirst ? before : rowsOf(await run(insert)) };
  };

async function countNewer(run: RunStatement, statement: string): Promise<Partial<MergeCounts>> {
  const { rows } = z.object({ rows: z.number() }).parse((await run(statement)).rows[0]);
  return { newer: rows };
}

const rowsOf = ({ rowCount }: pg.QueryResult): number => rowCount ?? 0;

const plus = (counts: MergeCounts, more: Partial<MergeCounts>): MergeCounts => ({
  inserted: counts.inserted + (more.inserted ?? 0),
  updated: counts.updated + (more.updated ?? 0),
  deleted: counts.deleted + (more.deleted ?? 0),
  newer: counts.newer + (more.newer ?? 0),
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
