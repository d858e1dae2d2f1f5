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
import { usually, USUALLY_AT } from '../../sql/search-path.ts';
import { addMissing, removeSurplus } from '../../sql/merge-keyless.ts';
import { rowKey } from '../../schema/row-identity.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { writtenColumnsOf } from './metadata-columns.ts';
import { addConflicts, type ConflictCounts } from '../../conflicts.ts';
import { recordConflicts } from './record-conflicts.ts';
import { rowVersionsOf } from './row-versions.ts';
import { isSameList } from '../../schema/columns.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

export interface MergeCounts {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Rows that stay because the row of the destination is newer. */
  readonly newer: number;
  /** Undefined if conflicts are not recorded. */
  readonly conflicts?: ConflictCounts | undefined;
}

export const NO_COUNTS: MergeCounts = { inserted: 0, updated: 0, deleted: 0, newer: 0 };

export function mergeOf(facts: CopyFacts, source: Relation): Merge {
  const { settings, destination, destinationName, stagingName, servers } = facts;
  const metadataColumns = writtenColumnsOf(facts);
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
    versions: rowVersionsOf(facts, source),
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

/** Statements that are sent together, and what the answer to one of them counts. */
interface MergeStep {
  readonly sent: readonly string[];
  /** The place of that answer. */
  readonly at: number;
  readonly count: (answer: pg.QueryResult) => Partial<MergeCounts>;
  /** Whether another session may insert a row that this step has not found. */
  readonly mayConflict?: boolean;
}

/** All steps are one message, because each round trip counts on a slow network. Each step sees what the steps before have written. */
export async function mergeStaging(
  client: pg.ClientBase,
  merge: Merge,
  share: Share,
  order: MergeOrder = orderFor(share),
  beside: Beside = {},
): Promise<MergeCounts> {
  if (hasWriters(merge)) return besideWriters(client, merge, mergeSteps(merge, share, order), beside);
  return (await mergeInMessage(client, merge, share, order, beside)).counts;
}

/** With the answers to the statements that came before the merge. Not for tables with other writers. */
export async function mergeInMessage(
  client: pg.ClientBase,
  merge: Merge,
  share: Share,
  order: MergeOrder,
  { before = [], after = [] }: Beside,
): Promise<{ readonly counts: MergeCounts; readonly answers: readonly pg.QueryResult[] }> {
  const steps = mergeSteps(merge, share, order);
  const sent = usually(...steps.flatMap((step) => step.sent));
  const answers = await queryEach(client, [...before, ...sent, ...after]);
  const counts = countsIn(steps, answers.slice(before.length + USUALLY_AT));
  return { counts, answers: answers.slice(0, before.length) };
}

/** Whether the settings expect that others write to the destination table. */
export const hasWriters = ({ yieldsToNewer, versions }: Merge): boolean =>
  yieldsToNewer || versions !== undefined;

/**
 * Another session may have inserted the same row after the statement searched for it. A retry then updates that row. Each
 * step is a message of its own, because an error in other steps is no conflict.
 */
const besideWriters = (
  client: pg.ClientBase,
  merge: Merge,
  steps: readonly MergeStep[],
  beside: Beside,
): Promise<MergeCounts> =>
  onUsualPath(
    client,
    async () => {
      let counts: MergeCounts = { ...NO_COUNTS, conflicts: await recordConflicts(client, merge) };
      for (const step of steps) {
        try {
          counts = plus(counts, countsIn([step], await queryEach(client, step.sent)));
        } catch (error) {
          if (!step.mayConflict || codeOf(error) !== SQLSTATE.uniqueViolation) throw error;
          throw new IncrepError('CONFLICT', {
            what: `a row of the source conflicts with another row of ${printName(merge.destination)}: ${error instanceof Error ? error.message : ''}`,
            next: 'Run increp again. If the error stays, drop the unique index or change the row that has the value at the destination.',
            sqlstate: SQLSTATE.uniqueViolation,
            cause: error,
          });
        }
      }
      return counts;
    },
    beside,
  );

function countsIn(steps: readonly MergeStep[], answers: readonly pg.QueryResult[]): MergeCounts {
  let first = 0;
  let counts = NO_COUNTS;
  for (const { sent, at, count } of steps) {
    const answer = answers[first + at];
    if (!answer) throw new Error('a merge was not answered');
    counts = plus(counts, count(answer));
    first += sent.length;
  }
  return counts;
}

/** Triggers, checks and indexes of users run for the written rows, so the statements use the usual search_path. */
function mergeSteps(merge: Merge, share: Share, order: MergeOrder): MergeStep[] {
  // Without a key, a changed row counts as one removed and one added row.
  if (merge.mergeKey.length === 0)
    return [step(removeSurplus(merge), deleted), step(addMissing(merge), inserted)];
  const passes = mergePasses(merge);
  const removal = passes.map(({ remove }) => step(remove, deleted));
  return [
    ...(order.removes === 'first' ? removal : []),
    ...replacements(merge, order).map((statement) => step(statement, updated)),
    ...passes.flatMap((pass) =>
      stepsOf(merge, pass, order).map(share === 'few' && pass.isIndexed ? byIndex : asIs),
    ),
    ...(order.removes === 'last' ? removal : []),
  ];
}

function stepsOf({ canMerge }: Merge, pass: MergePass, { insertsFirst }: MergeOrder): MergeStep[] {
  const newer = pass.countNewer === undefined ? [] : [step(pass.countNewer, kept)];
  // One statement updates and inserts.
  if (canMerge && !insertsFirst) return [...newer, writing(counted(pass.merge), both)];
  const [update, insert] = [writing(pass.update, updated), writing(pass.insert, inserted)];
  return [...newer, ...(insertsFirst ? [insert, update] : [update, insert])];
}

const step = (statement: string, count: MergeStep['count']): MergeStep => ({
  sent: [statement],
  at: 0,
  count,
});

const writing = (statement: string, count: MergeStep['count']): MergeStep => ({
  ...step(statement, count),
  mayConflict: true,
});

const asIs = (one: MergeStep): MergeStep => one;

/** Sets the planner options, and resets them. */
const byIndex = ({ sent, at, ...more }: MergeStep): MergeStep => ({
  ...more,
  sent: [...BY_INDEX, ...sent, ...AS_IT_WAS],
  at: BY_INDEX.length + at,
});

const affectedRows = ({ rowCount }: pg.QueryResult): number => rowCount ?? 0;
const deleted: MergeStep['count'] = (answer) => ({ deleted: affectedRows(answer) });
const inserted: MergeStep['count'] = (answer) => ({ inserted: affectedRows(answer) });
const updated: MergeStep['count'] = (answer) => ({ updated: affectedRows(answer) });

const keptRow = z.object({ rows: z.number() });
const kept: MergeStep['count'] = ({ rows }) => ({ newer: keptRow.parse(rows[0]).rows });

const done = z.object({ 'Tuples Inserted': z.number(), 'Tuples Updated': z.number() });
const explained = z.tuple([z.object({ 'QUERY PLAN': z.tuple([z.object({ Plan: done })]) })]);

const both: MergeStep['count'] = ({ rows }) => {
  const [row] = explained.parse(rows);
  const [{ Plan: plan }] = row['QUERY PLAN'];
  return { inserted: plan['Tuples Inserted'], updated: plan['Tuples Updated'] };
};

function replacements(merge: Merge, { replaces }: MergeOrder): readonly string[] {
  if (replaces) return replaceStatements(merge, replaces, 'differing');
  return unsettable(merge).length === 0 ? [] : replaceStatements(merge, merge.kept, 'fixed');
}

const plus = (counts: MergeCounts, more: Partial<MergeCounts>): MergeCounts => ({
  inserted: counts.inserted + (more.inserted ?? 0),
  updated: counts.updated + (more.updated ?? 0),
  deleted: counts.deleted + (more.deleted ?? 0),
  newer: counts.newer + (more.newer ?? 0),
  conflicts: addConflicts(counts.conflicts, more.conflicts),
});

/** Returns how many older rows with the same unique key were left out. If the source enforces the key, there are none. */
export async function dropOlderVersions(
  client: pg.ClientBase,
  merge: Merge,
  source: Relation,
): Promise<number> {
  return hasOneVersion(merge, source) ? 0 : affectedRows(await client.query(keepNewest(merge)));
}

/** Whether the source has one row for each unique key. */
export const hasOneVersion = ({ mergeKey }: Merge, source: Relation): boolean =>
  mergeKey.length === 0 || isUniqueBy(source, mergeKey);
