/** The end of a load: the complete staging table takes the place of the destination table or is merged into it. */
import type pg from 'pg';
import { IncrepError } from '../../errors.ts';
import type { Phase } from '../../events.ts';
import { printName } from '../../schema/names.ts';
import { isShared } from '../../schema/row-identity.ts';
import { analyze, commentOnTable, renameTable } from '../../sql/destination.ts';
import { alterAfter, alterBefore, lockWholly } from '../../sql/reshape.ts';
import type { ConflictCounts } from '../../conflicts.ts';
import { mergeOf } from '../write/merge-staging.ts';
import { conflictLogOf, recordConflicts } from '../write/record-conflicts.ts';
import { commonMerge } from '../write/row-versions.ts';
import { holdDestination } from '../write/destination-lock.ts';
import { lockShape } from '../../sql/window.ts';
import { ensureWithinLimit, goneByExchange, goneByMerge, NONE_GONE, type GoneRows } from './removed-rows.ts';
import type { TableFacts } from '../facts/facts.ts';
import { makeRoomFor } from '../write/index-names.ts';
import { waitingForUsers } from '../lock/lock-holders.ts';
import { describedAgain, ensureKeyIndex, seenNow } from '../write/merge-key-index.ts';
import { extensionFor, isExtended, keepsRest, reloadHindrance } from '../plan/reload-guard.ts';
import { completeMetadataColumns, ensureMetadataColumns } from '../write/metadata-columns.ts';
import { mergeInto, type MergedInto } from '../write/merge-into.ts';
import { alterInPlace } from '../reshape/alter-in-place.ts';
import { refreshViews, type Rebuilding } from '../reshape/rebuild-views.ts';
import { ensureConvertedAlike, ensureNothingLost } from './kept-conversions.ts';
import { exchange, locksFor } from '../reshape/exchange.ts';
import { lockAlone } from '../lock/exclusive-lock.ts';
import { completeStaging, describeNewTable, renameIndexes } from '../reshape/new-table.ts';
import { seenAgain } from '../reshape/reshape.ts';
import { mustSurvive } from '../reshape/must-survive.ts';
import { verifyCopied } from '../compare/verify-copied.ts';
import { type Load, becomesTable } from './choose-placing.ts';
import { enterPhase } from '../context/phases.ts';

const enter = ({ context, facts }: Load, phase: Phase) => enterPhase(context, facts, phase);

const namesUsers = ({ context, facts, destination }: Load) =>
  waitingForUsers(context, facts, destination, 'swap');

/** Keeps the destination table, alters it if its shape changed, and merges the whole staging table into it. */
export async function mergeWhole(load: Load): Promise<MergedInto> {
  const { context, facts, plan, destination, placing } = load;
  const table = facts.destinationName;
  const isKept = reloadHindrance(facts.settings) !== undefined;
  const alteration = placing.way === 'alter' ? placing.alteration : undefined;
  let rebuilding: Rebuilding | undefined;
  if (alteration?.retyped && alteration.retyped.length > 0) {
    await ensureNothingLost(destination, facts, plan.source);
    const retyped = alteration.retyped.map(({ name }) => name);
    const statement = alterBefore(table, alteration, facts.natives);
    if (statement !== undefined) rebuilding = await alterInPlace(load, statement, retyped);
    await ensureConvertedAlike(destination, facts, plan.source);
  } else if (alteration && (!isKept || isExtended(alteration))) {
    await enter(load, 'swap');
    const wanted = { table, locks: [lockWholly(table)], timing: context.timing, onWait: namesUsers(load) };
    await lockAlone(destination, wanted, context.signal);
    // Another pipeline may have added the same column meanwhile.
    const now = isKept ? extensionFor(await seenNow(destination, facts), plan.source) : alteration;
    const before = alterBefore(table, now, facts.natives);
    if (before !== undefined) await mustSurvive(destination, table, 'its dependent objects', before);
  } else await holdDestination(destination, facts, context.timing, { holds: 'whole' });
  await enter(load, 'merge');
  await ensureMetadataColumns(destination, facts);
  if (isKept) await ensureKeyIndex(destination, facts);
  const share = keepsRest(facts.settings) ? 'many' : 'whole';
  const counts = await mergeInto({
    context,
    // The change may have dropped columns.
    facts: alteration ? await describedAgain(destination, facts) : facts,
    relation: plan.source,
    destination,
    share,
    isRemovalOver: true,
  });
  ensureWithinLimit(load, await goneByMerge(destination, facts, counts));
  if (rebuilding) await refreshViews(rebuilding);
  const after = alteration && alterAfter(table, alteration);
  if (after !== undefined) await mustSurvive(destination, table, 'NOT NULL', after);
  return counts;
}

/** After a merge the destination table is compared, because triggers may have changed rows. A new table is put in place unchanged. */
export const verifyLoaded = (
  { context, facts, plan, destination, placing }: Load,
  source: pg.ClientBase,
): Promise<void> =>
  verifyCopied({
    context,
    facts,
    relation: plan.source,
    source,
    destination,
    table: becomesTable(placing) ? facts.stagingName : facts.destinationName,
    where: 'true',
  });

interface PutInPlace extends GoneRows {
  readonly conflicts: ConflictCounts | undefined;
}

/** Returns the rows that the destination table had and the source no longer has. */
export async function putInPlace(load: Load): Promise<PutInPlace> {
  const { context, facts, plan, destination, placing, hasMergeKey } = load;
  const gone = placing.way === 'exchange' ? await countGone(load) : NONE_GONE;
  ensureWithinLimit(load, gone);
  await completeMetadataColumns(destination, facts);
  await enter(load, 'index');
  let conflicts: ConflictCounts | undefined;
  if (placing.way === 'exchange') {
    const exchanged = { ...placing.exchange, hasMergeKey, isRehearsal: false };
    await completeStaging(exchanged);
    await enter(load, 'swap');
    const wanted = {
      table: facts.destinationName,
      locks: locksFor(exchanged),
      timing: context.timing,
      onWait: namesUsers(load),
    };
    await lockAlone(destination, wanted, context.signal);
    conflicts = await recordReplaced(load);
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
  return { ...gone, conflicts };
}

/** The new table replaces rows that others changed. */
async function recordReplaced({
  context,
  facts,
  plan,
  destination,
}: Load): Promise<ConflictCounts | undefined> {
  const conflictLog = conflictLogOf(facts, context);
  const merge = conflictLog && commonMerge(mergeOf(facts, plan.source), facts, plan.source);
  return merge && recordConflicts(destination, { ...merge, conflictLog });
}

/** Counts under a lock, and rolls back to release it. Otherwise increp and a session that waits for the lock could deadlock. */
async function countGone(load: Load): Promise<GoneRows> {
  const { context, facts, plan, destination } = load;
  const { destinationName: table } = facts;
  await destination.query('SAVEPOINT increp_gone');
  const wanted = { table, locks: [lockShape(table)], timing: context.timing, onWait: namesUsers(load) };
  await lockAlone(destination, wanted, context.signal);
  const gone = await goneByExchange(destination, facts, plan.source);
  await destination.query('ROLLBACK TO SAVEPOINT increp_gone; RELEASE SAVEPOINT increp_gone');
  return gone;
}

/** Of several pipelines that share a missing table, only the first one may create it. @throws IncrepError SCHEMA_CHANGED */
async function ensureAbsent(destination: pg.ClientBase, facts: TableFacts): Promise<void> {
  if (!isShared(facts.settings) || (await seenNow(destination, facts)).destination === undefined) return;
  throw new IncrepError('SCHEMA_CHANGED', {
    what: `another pipeline created ${printName(facts.destinationName)} during this load`,
    next: 'Run increp again. It loads its rows into that table.',
  });
}
