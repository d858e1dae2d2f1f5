/** `--adopt`: a table that was filled by other means is compared with the source by key and repaired. From then on increp maintains it. */
import type pg from 'pg';
import { IncrepError, reworded } from '../../errors.ts';
import { tableCommand } from '../../shell-word.ts';
import { compareSides } from '../compare/compare-sides.ts';
import type { RowDifference } from '../compare/differences.ts';
import { sidesOf } from '../compare/sides.ts';
import type { TableFacts } from '../facts/facts.ts';
import { comparedLoss, ensureWithinLimit, goneWarning } from './removed-rows.ts';
import { ensureKeyIndex } from '../write/merge-key-index.ts';
import { ensureMetadataColumns } from '../write/metadata-columns.ts';
import { mergeInto } from '../write/merge-into.ts';
import { dropOlderVersions, mergeOf } from '../write/merge-staging.ts';
import type { LoadPlan } from '../plan/plan.ts';
import type { TableJob } from '../plan/table-job.ts';
import { withTableSnapshot } from '../read/read-window.ts';
import { emptyStaging, freeStaging } from '../write/staging.ts';
import { verifyCopied } from '../compare/verify-copied.ts';
import { applyDifferences } from '../compare/apply-differences.ts';
import { type TableTransfer, countsOf, olderWarning } from '../write/table-transfer.ts';
import { enterPhase } from '../context/phases.ts';

type Adoption = TableJob<LoadPlan>;

/** Runs after the fence, in one snapshot: compares the rows that a load would read. */
export async function adoptTable(adoption: Adoption): Promise<TableTransfer> {
  const { context, facts, plan, destination } = adoption;
  await ensureMetadataColumns(destination, facts);
  await ensureIndexed(destination, facts);
  await emptyStaging(destination, facts, plan.source.columns);
  await enterPhase(context, facts, 'deletes');
  return withTableSnapshot({ context, facts, plan, isCompared: true }, undefined, [], (view) =>
    view.afterCopy((source) => repairFrom(adoption, source)),
  );
}

async function ensureIndexed(destination: pg.ClientBase, facts: TableFacts): Promise<void> {
  try {
    await ensureKeyIndex(destination, facts);
  } catch (error) {
    if (!(error instanceof IncrepError) || error.code !== 'MERGE_KEY_NOT_UNIQUE') throw error;
    throw reworded(error, {
      what: error.message,
      next: `Remove the duplicate rows at the destination. Or load the table again: "${tableCommand('sync', facts.settings.name, '--replace')}".`,
      cause: error,
    });
  }
}

async function repairFrom(adoption: Adoption, source: pg.ClientBase): Promise<TableTransfer> {
  const { context, facts, plan, destination, isVerified } = adoption;
  const relation = plan.source;
  const sides = sidesOf(facts, {
    relation,
    what: 'rows',
    where: 'true',
    isPending: 'false',
    destination: facts.destinationName,
  });
  const compared = await compareSides(
    { database: context.source, client: source, rows: sides.source },
    { client: destination, rows: sides.destination },
  );
  let newer = 0;
  const repairing = { context, facts, relation, source, destination };
  const deleted = await applyDifferences(
    repairing,
    counting(compared.differences, () => (newer += 1)),
  );
  ensureWithinLimit(adoption, comparedLoss(facts.settings, deleted, compared));
  await enterPhase(context, facts, 'merge');
  const older = await dropOlderVersions(destination, mergeOf(facts, relation), relation);
  const { refusal, ...merged } = await mergeInto({
    context,
    facts,
    relation,
    destination,
    share: 'few',
    isRemovalOver: true,
  });
  if (isVerified)
    await verifyCopied({
      context,
      facts,
      relation,
      source,
      destination,
      table: facts.destinationName,
      where: 'true',
    });
  await freeStaging(destination, facts.stagingName);
  return {
    loader: undefined,
    rowsRead: merged.inserted + merged.updated + merged.newer + older,
    bytes: 0,
    warnings: [...olderWarning(older, facts.settings), ...goneWarning(facts, deleted)],
    areDeletesDone: true,
    refusal,
    ...countsOf({ ...merged, newer: merged.newer + newer, deleted }, compared.sourceRows - older),
  };
}

/** Counts the rows of the destination that are newer and therefore stay. */
async function* counting(
  differences: AsyncIterable<RowDifference>,
  onNewer: () => void,
): AsyncGenerator<RowDifference> {
  for await (const difference of differences) {
    if (difference.kind === 'newer') onNewer();
    yield difference;
  }
}
