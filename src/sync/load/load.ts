/** Loads a whole table into a new staging table and puts it in place, in one destination transaction. */
import { analyze, dropTable } from '../../sql/destination.ts';
import { contentsOf } from './source-unchanged.ts';
import { goneWarning } from './removed-rows.ts';
import type { WasRead } from '../plan/unchanged-check.ts';
import { prepareMarks } from '../write/metadata-columns.ts';
import { dropOlderVersions, mergeOf, NO_COUNTS } from '../write/merge-staging.ts';
import { type MergedInto } from '../write/merge-into.ts';
import { untakenWarning } from '../write/untaken-rows.ts';
import { nullKeyWarning } from '../write/null-keys.ts';
import { isKeyedPlan, type LoadPlan } from '../plan/plan.ts';
import { madeEarly } from '../write/publications.ts';
import { readWhole } from '../read/read-window.ts';
import { freeStaging, makeStaging } from '../write/staging.ts';
import { type TableTransfer, countsOf, olderWarning } from '../write/table-transfer.ts';
import { type Placing, type Load, choosePlacing, becomesTable } from './choose-placing.ts';
import { mergeWhole, verifyLoaded, putInPlace } from './put-in-place.ts';
import { enterPhase } from '../context/phases.ts';
import type { TableJob } from '../plan/table-job.ts';

export async function loadTable(request: TableJob<LoadPlan>): Promise<TableTransfer> {
  const { context, plan, destination, isVerified } = request;
  const isNew = plan.way === 'create';
  const facts = isNew ? await madeEarly(destination, request.facts, plan.source) : request.facts;
  const placing: Placing =
    isNew && facts.destination
      ? { way: 'merge-whole' }
      : await choosePlacing(destination, facts, plan, context.timing);
  const load = { ...request, facts, placing, hasMergeKey: false };
  await makeStaging(destination, facts, plan.source.columns, becomesTable(placing));
  if (becomesTable(placing)) await prepareMarks(destination, facts);
  const { loader } = plan.loader;
  await enterPhase(context, facts, 'copy', { detail: loader });
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
  // The staging table would take as much space as the table until the next run.
  if (counts && isKeyedPlan(plan)) await freeStaging(destination, facts.stagingName, copied.bytes);
  else if (counts) await destination.query(dropTable(facts.stagingName));
  const distinctRows = copied.rows - older;
  const placed = counts ?? {
    ...NO_COUNTS,
    inserted: distinctRows,
    deleted: exchanged?.gone ?? 0,
    conflicts: exchanged?.conflicts,
  };
  return {
    loader,
    rowsRead: copied.rows,
    bytes: copied.bytes,
    warnings: [...warnings, ...goneWarning(facts, placed.deleted)],
    areDeletesDone: counts?.refusal === undefined,
    hasUniqueKeys: older === 0,
    refusal: counts?.refusal,
    contents: counts?.refusal ? undefined : contents,
    ...countsOf(placed, distinctRows),
  };
}

interface SettledRows {
  /** Rows that were left out because a newer row has the same key. */
  readonly older: number;
  readonly warnings: readonly string[];
  /** Undefined if the staging table will become the destination table. */
  readonly counts: MergedInto | undefined;
  readonly contents: WasRead | undefined;
}

/** The steps that do not need the source. They run within its snapshot only if --verify compares their result. */
async function settleRows(load: Load, rows: number): Promise<SettledRows> {
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
  const counts = await mergeWhole(load);
  const untaken = await untakenWarning(destination, facts, plan.source);
  return { older, warnings: [...warnings, ...untaken], contents, counts };
}
