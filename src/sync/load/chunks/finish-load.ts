/** Finishes a load in chunks: indexes the staging table, applies the changes since the fence, and puts the table in place. */
import type pg from 'pg';
import { IncrepError } from '../../../errors.ts';
import { describeRelations } from '../../../postgres/catalog.ts';
import { codeOf } from '../../../postgres/identity.ts';
import { printName } from '../../../schema/names.ts';
import { isUniqueBy, type Relation } from '../../../schema/relations.ts';
import { isShared } from '../../../schema/row-identity.ts';
import { analyze } from '../../../sql/destination.ts';
import { dropDuplicates } from '../../../sql/duplicates.ts';
import { forgetLoad } from '../../../sql/loads.ts';
import type { TableFacts } from '../../facts/facts.ts';
import { fenceTarget, raiseFence } from '../../fence/fence.ts';
import { goneWarning } from '../removed-rows.ts';
import type { MergedInto } from '../../write/merge-into.ts';
import { mergeOf, NO_COUNTS } from '../../write/merge-staging.ts';
import { dropUnique } from '../../write/merge-key-index.ts';
import { stagingIndex, stagingKey } from '../../reshape/new-table.ts';
import { eventsSince, nextGeneration, nextRecord } from '../../fence/next-state.ts';
import { storageIn } from './begin-load.ts';
import { catchUp, type CaughtUp, plainSettings } from './catch-up.ts';
import type { Reason } from '../../../reasons.ts';
import type { KeyedLoadPlan } from '../../plan/plan.ts';
import type { BegunLoad } from '../../plan/chunk-choice.ts';
import { sumsOf } from './copy-chunks.ts';
import type { ChunkedLoad, Loaded } from './chunked-load.ts';
import { placeOrMerge } from './place-or-merge.ts';
import { type TableTransfer, countsOf, olderWarning } from '../../write/table-transfer.ts';
import { madeEarly } from '../../write/publications.ts';
import { tracksVersions } from '../../../schema/merged-columns.ts';
import { choosePlacing, becomesTable, type Placing } from '../choose-placing.ts';
import { enterPhase } from '../../context/phases.ts';
import { SQLSTATE } from '../../../postgres/sqlstate.ts';

export async function finishLoad(request: ChunkedLoad, load: BegunLoad): Promise<Loaded> {
  const { context, plan, destination, isVerified, isForced, loadBefore } = request;
  const { schema, table } = request.facts.stateName;
  const loaded = { ...request.facts, staging: await stagingOf(destination, request.facts, load) };
  const isNew = plan.way === 'create' && tracksVersions(loaded.settings);
  const facts = isNew ? await madeEarly(destination, loaded, plan.source) : loaded;
  const earlier = loadBefore?.id === load.id ? loadBefore.done : [];
  const copied = await sumsOf(destination, schema, load.id, earlier);
  if (copied.chunks + earlier.length !== load.header.starts.length)
    throw new Error('chunks are missing at the end of a load');
  const placing: Placing = isNew
    ? { way: 'merge-whole' }
    : await choosePlacing(destination, facts, plan, context.timing);
  await enterPhase(context, facts, 'index', { chunks: { ...request.progress } });
  const older = await indexStaging(
    destination,
    { ...facts, settings: plainSettings(facts.settings) },
    plan.source,
  );
  await destination.query(analyze(facts.stagingName));
  await enterPhase(context, facts, 'fence');
  const fence = await raiseFence(context, fenceTarget(facts, plan));
  // The record in the header serves as the saved state, as if the beginning of the load had been a sync.
  const since: TableFacts = { ...facts, saved: { kind: 'record', record: load.header.record, warnings: [] } };
  const placed = {
    context,
    facts,
    plan,
    destination,
    isVerified,
    isForced,
    placing,
    hasMergeKey: true,
  };
  const caught = await catchUp({ load: placed, since, fence });
  const isReindexed = isShared(facts.settings) && becomesTable(placing);
  if (isReindexed) await dropUnique(destination, facts.stagingName, stagingIndex(facts.stagingName));
  const counts = caught.placed ?? (await placeOrMerge({ ...placed, hasMergeKey: !isReindexed }));
  await destination.query(forgetLoad(schema), [table]);
  const eventWarnings = eventsSince(since, plan, fence);
  return {
    fence,
    record: nextRecord({ context, facts: since, plan }, fence, {
      // The comparison of keys removed every deleted row, except rows that other rows still refer to.
      areDeletesDone: counts.merged?.refusal === undefined,
      // The saved state of the table has not changed since the load began, so its generation counts.
      generation: nextGeneration(facts),
    }),
    transfer: {
      eventWarnings,
      reasons: [...plan.reasons, ...readTwice(plan, copied.rows, caught.read.rows)],
      ...transferOf({
        copied,
        older,
        caught,
        counts: counts.merged ?? {
          ...NO_COUNTS,
          inserted: caught.rows,
          deleted: counts.gone,
          conflicts: counts.conflicts,
          refusal: undefined,
        },
        warnings: [
          ...olderWarning(older, facts.settings),
          ...counts.warnings,
          ...goneWarning(facts, counts.gone),
          ...eventWarnings.repeated,
          ...eventWarnings.single,
        ],
      }),
    },
  };
}

/** The share of the rows of the chunks that is worth saying. */
const MANY_AGAIN = 0.1;

const readTwice = ({ replicationKey: column }: KeyedLoadPlan, copied: number, rows: number): Reason[] =>
  rows > 0 && rows >= copied * MANY_AGAIN ? [{ code: 'rows-read-twice', rows, column }] : [];

/** @throws IncrepError SCHEMA_CHANGED if another session changed the staging table during the load */
async function stagingOf(
  client: pg.ClientBase,
  { stagingName }: TableFacts,
  { header }: BegunLoad,
): Promise<Relation> {
  const { schema, table } = stagingName;
  const staging = (await describeRelations(client, schema, [table])).get(table);
  const isOurs = staging?.oid === header.staging.oid;
  const storage = isOurs ? await storageIn(client, stagingName) : undefined;
  if (staging && storage?.filenode === header.staging.filenode) return staging;
  throw new IncrepError('SCHEMA_CHANGED', {
    what: `${printName(stagingName)} was dropped, emptied or rewritten during the load in chunks`,
    next: 'Run increp again. It loads the table from the beginning.',
  });
}

/** Returns how many rows were left out because the source has a newer row with the same key. */
async function indexStaging(client: pg.ClientBase, facts: TableFacts, source: Relation): Promise<number> {
  const merge = mergeOf(facts, source);
  const drop = async (mayBeInSource: boolean) =>
    (await client.query(dropDuplicates(merge, mayBeInSource))).rowCount ?? 0;
  if (!isUniqueBy(source, merge.mergeKey)) {
    const older = await drop(true);
    await client.query(stagingKey(facts, source));
    return older;
  }
  // A row that moved between chunks is rare, and a search for such rows costs more than the index. So the index is tried first.
  await client.query('SAVEPOINT increp_key');
  try {
    await client.query(stagingKey(facts, source));
  } catch (error) {
    if (codeOf(error) !== SQLSTATE.uniqueViolation) throw error;
    await client.query('ROLLBACK TO SAVEPOINT increp_key');
    await drop(false);
    await client.query(stagingKey(facts, source));
  }
  return 0;
}

function transferOf({
  copied,
  older,
  caught,
  counts,
  warnings,
}: {
  readonly copied: { readonly rows: number; readonly bytes: number };
  readonly older: number;
  readonly caught: CaughtUp;
  readonly counts: MergedInto;
  readonly warnings: readonly string[];
}): TableTransfer {
  return {
    loader: 'copy',
    rowsRead: copied.rows + caught.read.rows,
    rowsReadAgain: caught.readAgain,
    bytes: copied.bytes + caught.read.bytes,
    warnings: [...warnings, ...caught.warnings],
    areDeletesDone: counts.refusal === undefined,
    hasUniqueKeys: older === 0,
    refusal: counts.refusal,
    ...countsOf(counts, caught.rows),
  };
}
