/** A whole table: into a new staging table, and put in place, all in one destination transaction. */
import type pg from 'pg';
import { IncrepError } from '../../errors.ts';
import type { Phase } from '../../events.ts';
import { printName } from '../../schema/names.ts';
import { isShared } from '../../schema/row-identity.ts';
import { analyze, commentOnTable, dropTable, renameTable } from '../../sql/destination.ts';
import { alterAfter, alterBefore, lockWholly } from '../../sql/reshape.ts';
import { holdCopy } from '../write/destination-lock.ts';
import { lockShape } from '../../sql/window.ts';
import { contentsOf } from './source-unchanged.ts';
import {
  ensureWithinLimit,
  goneByExchange,
  goneByMerge,
  goneWarning,
  NONE_GONE,
  type GoneRows,
} from './removed-rows.ts';
import type { WasRead } from '../plan/unchanged-check.ts';
import type { TableFacts } from '../facts/facts.ts';
import { makeRoomFor } from '../write/index-names.ts';
import { usersOfCopy } from '../lock/lock-holders.ts';
import { ensureKeyIndex, seenNow } from '../write/merge-key-index.ts';
import { extensionFor, isExtended, keepsRest, reloadHindrance } from '../plan/reload-guard.ts';
import {
  completeMetadataColumns,
  ensureMetadataColumns,
  keepMarked,
  prepareMarks,
} from '../write/metadata-columns.ts';
import { dropOlderVersions, mergeOf, NO_COUNTS } from '../write/merge-staging.ts';
import { mergeInto, type MergedInto } from '../write/merge-into.ts';
import { nullKeyWarning } from '../write/null-keys.ts';
import { isKeyedPlan, type LoadPlan } from '../plan/plan.ts';
import { madeWherePublished } from '../write/publications.ts';
import { readWhole } from '../read/read-window.ts';
import { exchange, locksFor } from '../reshape/exchange.ts';
import { lockAlone, type LockTiming } from '../lock/exclusive-lock.ts';
import { completeStaging, describeNewTable, renameIndexes } from '../reshape/new-table.ts';
import { chooseReshape, seenAgain, type Reshape } from '../reshape/reshape.ts';
import { mustSurvive } from '../reshape/unsurvivable.ts';
import { makeStaging } from '../write/staging.ts';
import { verifyCopied } from '../compare/verify-copied.ts';
import type { RunContext } from '../context/run-context.ts';
import { type Transfer, countsOf, olderWarning } from '../write/transfer.ts';

type Placing = Reshape | { readonly way: 'create' | 'merge-whole' };

export interface Load {
  readonly context: RunContext;
  readonly facts: TableFacts;
  readonly plan: LoadPlan;
  readonly destination: pg.ClientBase;
  /** --verify */
  readonly isVerified: boolean;
  /** --force: no limit on rows that go. */
  readonly isForced: boolean;
  readonly placing: Placing;
  /** Whether the staging table has the index of the merge key already. */
  readonly hasMergeKey: boolean;
}

export async function loadTable(request: Omit<Load, 'placing' | 'hasMergeKey'>): Promise<Transfer> {
  const { context, plan, destination, isVerified } = request;
  const isNew = plan.way === 'create';
  const facts = isNew ? await madeWherePublished(destination, request.facts, plan.source) : request.facts;
  const placing: Placing =
    isNew && facts.destination
      ? { way: 'merge-whole' }
      : await choosePlacing(destination, facts, plan, context.timing);
  const load = { ...request, facts, placing, hasMergeKey: false };
  await makeStaging(destination, facts, plan.source.columns, becomesTable(placing));
  if (becomesTable(placing)) await prepareMarks(destination, facts);
  const { loader } = plan.loader;
  await enter(load, 'copy', loader);
  const { copied, ...early } = await readWhole(
    { context, facts, plan, destination, isCompared: isVerified },
    loader,
    async (source, rows) => {
      if (!isVerified) return { copied: rows };
      const settled = await settleRows(load, rows.rows);
      await verifyLoaded(load, source);
      return { copied: rows, settled };
    },
  );
  const { older, warnings, counts, contents } = early.settled ?? (await settleRows(load, copied.rows));
  const exchanged = counts ? undefined : await putInPlace(load);
  // It would be as large as the table, from one run to the next.
  if (counts && !isKeyedPlan(plan)) await destination.query(dropTable(facts.stagingName));
  const distinctRows = copied.rows - older;
  const placed = counts ?? { ...NO_COUNTS, inserted: distinctRows, deleted: exchanged?.gone ?? 0 };
  return {
    loader,
    rowsRead: copied.rows,
    bytes: copied.bytes,
    warnings: [...warnings, ...goneWarning(facts, placed.deleted)],
    areDeletesDone: counts?.refusal === undefined,
    refusal: counts?.refusal,
    contents: counts?.refusal ? undefined : contents,
    ...countsOf(placed, distinctRows),
  };
}

/** @throws IncrepError DEPENDENT_OBJECTS, before a row is read */
export const choosePlacing = async (
  destination: pg.ClientBase,
  facts: TableFacts,
  plan: LoadPlan,
  timing: LockTiming,
): Promise<Placing> => {
  if (plan.way === 'swap') return chooseReshape(destination, facts, plan.source, timing);
  return plan.way === 'extend'
    ? { way: 'alter', alteration: extensionFor(facts, plan.source) }
    : { way: plan.way };
};

const enter = ({ context, facts }: Load, phase: Phase, detail?: string) =>
  context.emit({ type: 'phase-started', table: facts.settings.name, phase, ...(detail && { detail }) });

const tellUsers =
  ({ context, facts, destination }: Load) =>
  async (): Promise<void> =>
    context.emit({
      type: 'phase-started',
      table: facts.settings.name,
      phase: 'swap',
      waitsFor: await usersOfCopy(destination, facts),
    });

interface Settled {
  /** Rows left out because a newer one has their key. */
  readonly older: number;
  readonly warnings: readonly string[];
  /** Undefined where the staging table is about to take the place of the table. */
  readonly counts: MergedInto | undefined;
  readonly contents: WasRead | undefined;
}

/** What needs the source no more, unless --verify is to compare it. */
async function settleRows(load: Load, rows: number): Promise<Settled> {
  const { facts, plan, destination } = load;
  const contents = isKeyedPlan(plan) ? undefined : await contentsOf(destination, facts, plan.source, rows);
  const merge = mergeOf(facts, plan.source);
  const older = await dropOlderVersions(destination, merge, plan.source);
  const warnings = [
    ...olderWarning(older, facts.settings),
    ...(await nullKeyWarning(destination, facts.stagingName, facts.settings, plan.source)),
  ];
  if (becomesTable(load.placing)) return { older, warnings, contents, counts: undefined };
  await destination.query(analyze(facts.stagingName));
  return { older, warnings, contents, counts: await mergeWhole(load) };
}

/** The table stays, altered where its shape has changed. */
export async function mergeWhole(load: Load): Promise<MergedInto> {
  const { context, facts, plan, destination, placing } = load;
  const table = facts.destinationName;
  const isKept = reloadHindrance(facts.settings) !== undefined;
  const alteration = placing.way === 'alter' ? placing.alteration : undefined;
  if (alteration && (!isKept || isExtended(alteration))) {
    await enter(load, 'swap');
    const wanted = { table, locks: [lockWholly(table)], timing: context.timing, onWait: tellUsers(load) };
    await lockAlone(destination, wanted, context.signal);
    // Another pipeline may have added the same column since.
    const now = isKept ? extensionFor(await seenNow(destination, facts), plan.source) : alteration;
    const before = alterBefore(table, now, facts.natives);
    if (before !== undefined) await mustSurvive(destination, table, 'what is built on it', before);
  } else await holdCopy(destination, facts, context.timing, { holds: 'whole' });
  await enter(load, 'merge');
  await ensureMetadataColumns(destination, facts);
  if (isKept) await ensureKeyIndex(destination, facts);
  const share = keepsRest(facts.settings) ? 'many' : 'whole';
  const counts = await mergeInto({
    context,
    facts,
    source: plan.source,
    destination,
    share,
    isRemovalOver: true,
  });
  ensureWithinLimit(load, await goneByMerge(destination, facts, counts));
  const after = alteration && alterAfter(table, alteration);
  if (after !== undefined) await mustSurvive(destination, table, 'NOT NULL', after);
  return counts;
}

export const becomesTable = ({ way }: Placing): boolean => way === 'create' || way === 'exchange';

/** A merge may meet triggers, so the table itself is compared; a new table is put in place as it is. */
export const verifyLoaded = (
  { facts, plan, destination, placing }: Load,
  source: pg.ClientBase,
): Promise<void> =>
  verifyCopied({
    facts,
    relation: plan.source,
    source,
    destination,
    table: becomesTable(placing) ? facts.stagingName : facts.destinationName,
    where: 'true',
  });

/** Returns what the table had before, and the source no longer has. */
export async function putInPlace(load: Load): Promise<GoneRows> {
  const { context, facts, plan, destination, placing, hasMergeKey } = load;
  const gone = placing.way === 'exchange' ? await lookAtGone(load) : NONE_GONE;
  ensureWithinLimit(load, gone);
  await completeMetadataColumns(destination, facts);
  if (facts.settings.deletes === 'soft') await keepMarked(destination, facts, plan.source);
  await enter(load, 'index');
  if (placing.way === 'exchange') {
    const exchanged = { ...placing.exchange, hasMergeKey, isRehearsal: false };
    await completeStaging(exchanged);
    await enter(load, 'swap');
    const wanted = {
      table: facts.destinationName,
      locks: locksFor(exchanged),
      timing: context.timing,
      onWait: tellUsers(load),
    };
    await lockAlone(destination, wanted, context.signal);
    await exchange(await seenAgain(exchanged));
  } else {
    const created = {
      ...describeNewTable(destination, facts, plan.source, undefined, []),
      hasMergeKey,
      isRehearsal: false,
    };
    await completeStaging(created);
    await enter(load, 'swap');
    await ensureAbsent(destination, facts);
    await makeRoomFor(destination, facts.destinationName);
    await destination.query(renameTable(facts.stagingName, facts.destinationName.table));
    await destination.query(commentOnTable(facts.destinationName, null));
    await renameIndexes(created);
  }
  await destination.query(analyze(facts.destinationName));
  return gone;
}

/** Rolled back, so that no lock stays that somebody could wait for while we wait for him. */
async function lookAtGone(load: Load): Promise<GoneRows> {
  const { context, facts, plan, destination } = load;
  const { destinationName: table } = facts;
  await destination.query('SAVEPOINT increp_gone');
  const wanted = { table, locks: [lockShape(table)], timing: context.timing, onWait: tellUsers(load) };
  await lockAlone(destination, wanted, context.signal);
  const gone = await goneByExchange(destination, facts, plan.source);
  await destination.query('ROLLBACK TO SAVEPOINT increp_gone; RELEASE SAVEPOINT increp_gone');
  return gone;
}

/** Pipelines that share a table may all find that there is none; the first one makes it. @throws IncrepError SCHEMA_CHANGED */
async function ensureAbsent(destination: pg.ClientBase, facts: TableFacts): Promise<void> {
  if (!isShared(facts.settings) || (await seenNow(destination, facts)).destination === undefined) return;
  throw new IncrepError('SCHEMA_CHANGED', {
    what: `${printName(facts.destinationName)} was made by another pipeline in the meantime`,
    next: 'Run increp again: it loads its rows into that table.',
  });
}
