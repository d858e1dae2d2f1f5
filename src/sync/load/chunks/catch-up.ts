/**
 * Brings the staging table up to date after the last chunk, as a sync brings a destination table up to date. It merges the
 * window since the fence of the load, and then compares the keys of both sides in the same snapshot. Rows that were deleted
 * meanwhile are removed. `delete_limit` does not apply, because no reader has seen these rows. Rows that moved from a later
 * chunk into a chunk that was already read are fetched.
 */
import type pg from 'pg';
import type { Copied } from '../../../postgres/copy-pipe.ts';
import { dropTable, truncate } from '../../../sql/destination.ts';
import type { Window } from '../../../sql/window.ts';
import { lowestCursor } from '../../../schema/keys.ts';
import { isKeyed, isSameInstance } from '../../../schema/state-record.ts';
import { compareSides } from '../../compare/compare-sides.ts';
import { sidesOf } from '../../compare/sides.ts';
import type { CopyFacts, TableFacts } from '../../facts/facts.ts';
import type { RaisedFence } from '../../fence/fence.ts';
import { dropOlderVersions, mergeOf, mergeStaging, type MergeCounts } from '../../write/merge-staging.ts';
import type { IncrementalPlan, KeyedLoadPlan } from '../../plan/plan.ts';
import { readWindow } from '../../read/read-window.ts';
import { makeStaging } from '../../write/staging.ts';
import { instanceOf } from '../../facts/server-instance.ts';
import { comparisonDue } from '../../fence/next-state.ts';
import { windowChoice } from '../../fence/window-choice.ts';
import { placeOrMerge, type PlacedLoad } from './place-or-merge.ts';
import { applyDifferences } from '../../compare/apply-differences.ts';
import { type Load, becomesTable } from '../choose-placing.ts';
import { verifyLoaded } from '../put-in-place.ts';
import { enterPhase } from '../../context/phases.ts';
import type { TableSettings } from '../../../config/settings.ts';
import { rowKey } from '../../../schema/row-identity.ts';
import { formatCounted } from '../../../format.ts';

export interface CaughtUp {
  /** Rows and bytes that were read after the chunks. */
  readonly read: Copied;
  /** Those that the staging table had already. */
  readonly readAgain: number;
  /** Rows in the staging table at the end. */
  readonly rows: number;
  readonly warnings: readonly string[];
  /** Set if --verify required that the load is put in place within the same snapshot. */
  readonly placed: PlacedLoad | undefined;
}

type KeyedLoad = Load & { readonly plan: KeyedLoadPlan };

interface CatchingUp {
  readonly load: KeyedLoad;
  /** The facts as they would be after a sync that raised the fence of the load. */
  readonly since: TableFacts;
  readonly fence: RaisedFence;
}

export async function catchUp({ load, since, fence }: CatchingUp): Promise<CaughtUp> {
  const { context, plan, destination } = load;
  const facts = intoStaging(since);
  const window = windowPlan(load, since);
  await makeStaging(destination, facts, plan.source.columns, false);
  await enterPhase(context, facts, 'copy', { detail: 'changes during the load' });
  const { questions, choose } = windowChoice(facts, window, fence, { mustRead: true });
  const caught = await readWindow(
    { context, facts, plan: window, destination },
    {
      questions,
      choose: async (source, answers) => {
        const chosen = await choose(source, answers);
        return { ...chosen, window: narrowed(chosen.window, facts, fence) };
      },
    },
    (source, copied) =>
      withinSnapshot(
        { load, facts, isWhole: comparisonDue(since, plan, fence) !== undefined },
        source,
        copied,
      ),
  );
  await destination.query(dropTable(facts.stagingName));
  return caught;
}

/** Rows go into the staging table of the load through a second staging table. */
const intoStaging = (facts: TableFacts): CopyFacts => {
  const { pipeline, sourceName, source, sourceRows, selected, natives, saved, servers } = facts;
  return {
    ...{ pipeline, sourceName, source, sourceRows, selected, natives, saved, servers },
    settings: plainSettings(facts.settings),
    destinationName: facts.stagingName,
    destination: facts.staging,
    stagingName: facts.windowName,
    staging: undefined,
  };
};

function windowPlan({ plan }: KeyedLoad, { saved }: TableFacts): IncrementalPlan {
  if (saved.kind !== 'record' || !isKeyed(saved.record))
    throw new Error('a load in chunks has no record of its beginning');
  const { reasons, typeChanges, source, shape, laterColumns = [], replicationKey, keyType } = plan;
  return {
    kind: 'incremental',
    action: 'incremental',
    since: saved.record,
    hasMergeIndex: true,
    removesDeleted: false,
    removesFirst: false,
    ...{ reasons, typeChanges, source, shape, laterColumns, replicationKey, keyType },
  };
}

/**
 * If the start of a transaction that was open when the load began is unknown, the window has no lower end and would read
 * the whole table again. But the rows of that transaction have an `xmin` that was not settled then. So the window can
 * start at the cursor of the load and add the rows that such transactions wrote.
 */
function narrowed(window: Window, facts: CopyFacts, fence: RaisedFence): Window {
  if (window.from !== null || fence.high === null || facts.saved.kind !== 'record') return window;
  const { settledXid, cursor, sourceLife } = facts.saved.record;
  if (settledXid === null || !isSameInstance(sourceLife, instanceOf(facts))) return window;
  return {
    ...window,
    from: lowestCursor(window.keyType, [cursor, fence.high]),
    orWrittenSince: settledXid,
  };
}

interface SnapshotWork {
  readonly load: KeyedLoad;
  readonly facts: CopyFacts;
  /** Whether rows are compared with all their columns. */
  readonly isWhole: boolean;
}

async function withinSnapshot(
  { load, facts, isWhole }: SnapshotWork,
  source: pg.ClientBase,
  copied: Copied,
): Promise<CaughtUp> {
  const { context, plan, destination, isVerified } = load;
  await enterPhase(context, facts, 'merge');
  const first = await mergeIn(load, facts);
  await destination.query(truncate(facts.stagingName));
  await enterPhase(context, facts, 'deletes');
  const sides = sidesOf(facts, {
    relation: plan.source,
    what: isVerified || isWhole ? 'rows' : 'keys',
    where: 'true',
    isPending: 'false',
    destination: facts.destinationName,
  });
  const { destinationRows, differences } = await compareSides(
    { database: context.source, client: source, rows: sides.source },
    { client: destination, rows: sides.destination },
  );
  const repairing = { context, facts, relation: plan.source, source, destination };
  const removed = await applyDifferences(repairing, differences);
  const { inserted, updated } = await mergeIn(load, facts);
  // Triggers may change rows during a merge, so the merge runs before --verify. A new table is put in place unchanged.
  const placed = isVerified && !becomesTable(load.placing) ? await placeOrMerge(load) : undefined;
  if (isVerified) await verifyLoaded(load, source);
  return {
    read: { rows: copied.rows + inserted + updated, bytes: copied.bytes },
    readAgain: copied.rows - first.inserted - first.updated,
    rows: destinationRows - removed + inserted,
    warnings: unseenWarning(plan, updated),
    placed,
  };
}

async function mergeIn({ plan, destination }: Load, facts: CopyFacts): Promise<MergeCounts> {
  const merge = mergeOf(facts, plan.source);
  await dropOlderVersions(destination, merge, plan.source);
  return mergeStaging(destination, merge, 'few');
}

/** Only --verify compares these rows. Without it they stay outdated, like all changes that do not change the replication key. */
const unseenWarning = ({ replicationKey }: KeyedLoadPlan, rows: number): string[] =>
  rows === 0
    ? []
    : [
        `${formatCounted(rows, 'row')} changed during the load without a new ${replicationKey}; increp read ${rows === 1 ? 'it' : 'them'} again`,
      ];

/** The staging table of a load in chunks equals the source. Marked rows and metadata columns are added at the end. */
export const plainSettings = (settings: TableSettings): TableSettings => ({
  ...settings,
  mode: 'incremental-deduped',
  mergeKey: rowKey(settings),
  deletes: 'hard',
  metadataColumns: [],
  onConflict: 'source_wins',
  merge: [],
  conflictLog: false,
});
