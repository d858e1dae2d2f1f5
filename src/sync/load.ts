/** A whole table: into a new staging table, indexed, and put in place, all in one destination transaction. */
import type pg from 'pg';
import type { Phase } from '../events.ts';
import type { Belongings } from '../sql/belongings.ts';
import { analyze } from '../sql/destination.ts';
import type { TableFacts } from './facts.ts';
import { dropOlderVersions, mergeOf, mergeStaging, type MergeCounts } from './merge-staging.ts';
import { nullKeyWarning } from './null-keys.ts';
import type { LoadPlan } from './plan.ts';
import { readWhole } from './read-window.ts';
import { makeStaging } from './staging.ts';
import { keepMarked, prepareMarks } from './marked-rows.ts';
import { indexStaging, inspectOldTable, swap } from './swap.ts';
import type { Transfer } from './transfer.ts';
import { verifyCopied } from './verify-copied.ts';
import type { Work } from './work.ts';

interface Load {
  readonly work: Work;
  readonly facts: TableFacts;
  readonly plan: LoadPlan;
  readonly destination: pg.ClientBase;
  /** --verify */
  readonly isVerified: boolean;
}

export async function loadTable(load: Load): Promise<Transfer> {
  const { work, facts, plan, destination, isVerified } = load;
  const belongings = plan.way === 'swap' ? await inspectOldTable(destination, facts, plan) : undefined;
  await makeStaging(destination, facts, plan.source.columns, plan.way !== 'merge-whole');
  await prepareMarks(destination, facts, plan);
  const { loader } = plan.loader;
  await enter(load, 'copy', loader);
  const { copied, ...early } = await readWhole(
    { work, facts, plan, destination },
    loader,
    async (source, rows) => {
      if (!isVerified) return { copied: rows };
      const settled = await settleRows(load);
      await verifyLoaded(load, source);
      return { copied: rows, settled };
    },
  );
  const { older, warnings, counts } = early.settled ?? (await settleRows(load));
  if (!counts) await putInPlace(load, belongings);
  const distinctRows = copied.rows - older;
  return {
    loader,
    rowsRead: copied.rows,
    bytes: copied.bytes,
    warnings,
    areDeletesDone: true,
    refusal: undefined,
    ...countsOf(counts ?? { inserted: distinctRows, updated: 0, deleted: 0 }, distinctRows),
  };
}

const enter = ({ work, facts }: Load, phase: Phase, detail?: string) =>
  work.emit({ type: 'phase-started', table: facts.settings.name, phase, ...(detail && { detail }) });

interface Settled {
  /** Rows left out because a newer one has their key. */
  readonly older: number;
  readonly warnings: readonly string[];
  /** Undefined where the staging table is about to take the place of the table. */
  readonly counts: MergeCounts | undefined;
}

/** What needs the source no more, unless --verify is to compare it. */
async function settleRows(load: Load): Promise<Settled> {
  const { facts, plan, destination } = load;
  const merge = mergeOf(facts, plan.source);
  const older = await dropOlderVersions(destination, merge, plan.source);
  const warnings = [
    ...olderWarning(older),
    ...(await nullKeyWarning(destination, facts.stagingName, facts.settings, plan.source)),
  ];
  if (plan.way !== 'merge-whole') return { older, warnings, counts: undefined };
  await enter(load, 'merge');
  await destination.query(analyze(facts.stagingName));
  return { older, warnings, counts: await mergeStaging(destination, merge, true) };
}

/** A merge may meet triggers, so the table itself is compared; a swap puts the staging table in place as it is. */
const verifyLoaded = ({ facts, plan, destination }: Load, source: pg.ClientBase): Promise<void> =>
  verifyCopied({
    facts,
    relation: plan.source,
    source,
    destination,
    table: plan.way === 'merge-whole' ? facts.destinationName : facts.stagingName,
    where: 'true',
  });

async function putInPlace(load: Load, belongings: Belongings | undefined): Promise<void> {
  const { facts, plan, destination } = load;
  if (facts.settings.deletes === 'soft') await keepMarked(destination, facts, plan);
  await enter(load, 'index');
  await indexStaging(destination, facts, plan, belongings);
  await enter(load, 'swap');
  await swap(destination, facts, plan, belongings);
  await destination.query(analyze(facts.destinationName));
}

export const countsOf = ({ inserted, updated, deleted }: MergeCounts, distinctRows: number) => ({
  rowsInserted: inserted,
  rowsUpdated: updated,
  rowsUnchanged: distinctRows - inserted - updated,
  rowsDeleted: deleted,
});

export const olderWarning = (rows: number): string[] =>
  rows === 0
    ? []
    : [
        `unique_cols do not identify rows at the source: ${rows} rows shared their key with a newer one and were left out`,
      ];
