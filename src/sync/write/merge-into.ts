/**
 * Merges the staging table into the destination table, which may have constraints that users added. It tries the usual order
 * of statements first. If a constraint refuses that, it rolls back to the savepoint and tries another order. The last order
 * succeeds whenever the final rows satisfy the constraint.
 */
import pg from 'pg';
import * as z from 'zod';
import type { IncrepError } from '../../errors.ts';
import { describeRelations } from '../../postgres/catalog.ts';
import { queryPinnedFirst } from '../../postgres/user-search-path.ts';
import { printName } from '../../schema/names.ts';
import { uniqueIndexOn, type Relation } from '../../schema/relations.ts';
import { findsDeleted } from '../../schema/deleted-rows.ts';
import { copyKey } from '../../schema/row-identity.ts';
import { CHECK_CONSTRAINTS, DEFER_CONSTRAINTS, MAY_REPLACE } from '../../sql/constraints.ts';
import type { Merge } from '../../sql/merge.ts';
import { lockWholly } from '../../sql/reshape.ts';
import type { TableFacts } from '../facts/facts.ts';
import { waitingForUsers } from '../lock/lock-holders.ts';
import type { HoldInMessage } from './destination-lock.ts';
import {
  hasOneVersion,
  hasWriters,
  mergeInMessage,
  mergeOf,
  mergeStaging,
  type MergeCounts,
  type MergeOrder,
  type Share,
} from './merge-staging.ts';
import { conflictLogOf } from './record-conflicts.ts';
import { lockAlone } from '../lock/exclusive-lock.ts';
import {
  findRowsInTheWay,
  foreignKeyRefusal,
  isSameTable,
  readForeignKey,
  readUniqueIndex,
  takenOver,
  uniqueRefusal,
  violationOf,
  type UniqueIndex,
  type Violation,
} from './violations.ts';
import { unfilledRefusal } from '../plan/altered-destination.ts';
import { Replan } from '../plan/replan.ts';
import type { RunContext } from '../context/run-context.ts';
import { enterPhase } from '../context/phases.ts';

export interface Merging {
  readonly context: Pick<RunContext, 'timing' | 'signal' | 'emit' | 'group' | 'syncReferenced' | 'runId'>;
  readonly facts: TableFacts;
  readonly relation: Relation;
  readonly destination: pg.ClientBase;
  readonly share: Share;
  /** Rows that are gone from the source are already removed, or must stay. */
  readonly isRemovalOver: boolean;
}

export interface MergedInto extends MergeCounts {
  /** Why rows that are gone from the source are still there. */
  readonly refusal: IncrepError | undefined;
}

interface MergeAttempt {
  readonly order: MergeOrder;
  /** Unique indexes that are dropped during the merge. */
  readonly indexes: readonly UniqueIndex[];
  /** Foreign keys whose referenced tables were synced for this merge. */
  readonly syncedConstraints: readonly string[];
  readonly refusal: IncrepError | undefined;
  /** Why these rows cannot be removed before the other rows are written. */
  readonly postponed: IncrepError | undefined;
}

const firstAttempt = ({ share }: Merging): MergeAttempt => ({
  order: { removes: share === 'whole' ? 'first' : 'never', insertsFirst: false, replaces: undefined },
  indexes: [],
  syncedConstraints: [],
  refusal: undefined,
  postponed: undefined,
});

const mergeFor = ({ context, facts, relation }: Merging): Merge => ({
  ...mergeOf(facts, relation),
  conflictLog: conflictLogOf(facts, context),
});

/**
 * Locks the table and merges in one message, because each round trip counts on a slow network. Undefined if the merge needs more
 * messages, or if the server refuses a statement. Nothing has happened then, and the single steps show the reason.
 */
export async function mergeAtOnce(merging: Merging, hold: HoldInMessage): Promise<MergeCounts | undefined> {
  const { destination, relation, share } = merging;
  const merge = mergeFor(merging);
  if (hasWriters(merge) || !hasOneVersion(merge, relation)) return undefined;
  const before = ['SAVEPOINT increp_at_once', ...hold.sent, DEFER_CONSTRAINTS];
  const after = [CHECK_CONSTRAINTS, 'RELEASE SAVEPOINT increp_at_once'];
  const { order } = firstAttempt(merging);
  const merged = await mergeInMessage(destination, merge, share, order, { before, after }).catch(
    async (error: unknown) => {
      if (!(error instanceof pg.DatabaseError)) throw error;
      await backTo(destination, 'increp_at_once', error);
    },
  );
  if (merged) await hold.ensureHeld(destination, merged.answers.slice(1));
  return merged?.counts;
}

/** @throws the error itself if there is no such savepoint, because the server ended the transaction */
const backTo = (client: pg.ClientBase, savepoint: string, error: unknown): Promise<unknown> =>
  client
    .query(`ROLLBACK TO SAVEPOINT ${savepoint}; RELEASE SAVEPOINT ${savepoint}`)
    .catch(() => Promise.reject(error));

export async function mergeInto(merging: Merging): Promise<MergedInto> {
  const { destination, facts } = merging;
  const merge = mergeFor(merging);
  let attempt = firstAttempt(merging);
  for (;;) {
    try {
      const counts = await tryToMerge(merging, merge, attempt);
      return { ...counts, refusal: attempt.refusal };
    } catch (error) {
      const violation = violationOf(error);
      if (!violation) throw unfilledRefusal(facts, merging.relation, error) ?? error;
      await backTo(destination, 'increp_merge', error);
      attempt = await (violation.kind === 'unique' ? pastUnique : pastForeignKey)(
        { ...merging, merge, attempt },
        violation,
      );
    }
  }
}

/** The first statement creates the savepoint, so every error is after it. */
async function tryToMerge(
  { context, facts, destination, share }: Merging,
  merge: Merge,
  { order, indexes }: MergeAttempt,
): Promise<MergeCounts> {
  const before = ['SAVEPOINT increp_merge', DEFER_CONSTRAINTS];
  const after = [CHECK_CONSTRAINTS, 'RELEASE SAVEPOINT increp_merge'];
  if (indexes.length === 0) return mergeStaging(destination, merge, share, order, { before, after });
  await destination.query(before.join('; '));
  const onWait = waitingForUsers(context, facts, destination, 'merge');
  const wanted = {
    table: facts.destinationName,
    locks: [lockWholly(facts.destinationName)],
    timing: context.timing,
    onWait,
  };
  await lockAlone(destination, wanted, context.signal);
  for (const { drop } of indexes) await queryPinnedFirst(destination, drop);
  const counts = await mergeStaging(destination, merge, share, order);
  // Postgres cannot alter a table that has pending deferred checks.
  await destination.query(CHECK_CONSTRAINTS);
  for (const { create } of indexes)
    for (const statement of create) await queryPinnedFirst(destination, statement);
  await destination.query(after.join('; '));
  return counts;
}

interface Stuck extends Merging {
  readonly merge: Merge;
  readonly attempt: MergeAttempt;
}

/** Unique values move between rows. Either changed rows are replaced, or the index is dropped during the merge. @throws IncrepError */
async function pastUnique(stuck: Stuck, violation: Violation): Promise<MergeAttempt> {
  const { facts, destination, merge, attempt } = stuck;
  const ownIndex = facts.destination && uniqueIndexOn(facts.destination, copyKey(facts.settings));
  if (!isSameTable(violation.table, facts.destinationName) || violation.constraint === ownIndex?.index)
    throw violation.cause;
  const isReplaced = attempt.order.replaces !== undefined;
  if (!isReplaced && attempt.indexes.length === 0 && merge.mergeKey.length > 0) {
    const kept = await keptIfReplaced(destination, facts, merge);
    if (kept) return { ...attempt, order: { ...attempt.order, replaces: kept } };
  }
  const index = await readUniqueIndex(destination, violation);
  const found = await findRowsInTheWay(destination, merge, index);
  const isDropped = attempt.indexes.some(({ drop }) => drop === index?.drop);
  if (index && !found && !isDropped && merge.mergeKey.length > 0)
    return {
      ...attempt,
      order: { ...attempt.order, replaces: undefined },
      indexes: [...attempt.indexes, index],
    };
  if (attempt.postponed && found?.where !== 'source') throw takenOver(facts, attempt.postponed);
  const refusal = uniqueRefusal(facts, violation, found, index);
  // A row that is marked as deleted frees its value only if the index excludes marked rows. Only an attempt shows that.
  const isRemovable = findsDeleted(facts.settings) && !stuck.isRemovalOver;
  throw isRemovable && found?.where !== 'source'
    ? new Replan(refusal, { removesFirst: true }, violation.cause)
    : refusal;
}

const mayRow = z.object({ mayReplace: z.boolean() });

/** Undefined if deleting and inserting a row again would have side effects, such as triggers or cascades. */
async function keptIfReplaced(
  client: pg.ClientBase,
  { destinationName: { schema, table } }: TableFacts,
  { columns, metadataColumns }: Merge,
): Promise<readonly string[] | undefined> {
  const now = (await describeRelations(client, schema, [table])).get(table);
  if (!now) return undefined;
  const { mayReplace } = mayRow.parse((await client.query(MAY_REPLACE, [now.oid])).rows[0]);
  if (!mayReplace) return undefined;
  return now.columns
    .filter(({ generated }) => generated === '')
    .map(({ name }) => name)
    .filter((name) => !columns.includes(name) && !metadataColumns.some((column) => column.name === name));
}

/** Rows refer to each other or to rows of another table. @throws IncrepError */
async function pastForeignKey(stuck: Stuck, violation: Violation): Promise<MergeAttempt> {
  const { context, facts, destination, attempt } = stuck;
  const key = await readForeignKey(destination, violation);
  const refusal = foreignKeyRefusal(facts, violation, key);
  if (!key) throw refusal;
  const { order } = attempt;
  const isParent = isSameTable(key.parent, facts.destinationName);
  if (key.isSelf && !order.insertsFirst)
    return {
      ...attempt,
      order: { ...order, insertsFirst: true, ...(order.removes === 'first' && { removes: 'last' }) },
    };
  if (isParent && order.removes === 'first')
    return { ...attempt, order: { ...order, removes: 'last' }, postponed: refusal };
  // Rows that other tables still refer to stay until these tables are synced.
  if (isParent && order.removes === 'last')
    return { ...attempt, order: { ...order, removes: 'never' }, refusal };
  if (key.isSelf || isParent || attempt.syncedConstraints.includes(violation.constraint)) throw refusal;
  context.group?.leave();
  const waitsFor = `the sync of the referenced table ${printName(key.parent)}`;
  await enterPhase(context, facts, 'merge', { waitsFor });
  if ((await context.syncReferenced?.(key.parent)) !== true) throw refusal;
  return { ...attempt, syncedConstraints: [...attempt.syncedConstraints, violation.constraint] };
}
