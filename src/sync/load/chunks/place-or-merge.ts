/** The end of a load in chunks: the complete staging table becomes the destination table or is merged into it. */
import type { ConflictCounts } from '../../../conflicts.ts';
import { analyze, dropTable } from '../../../sql/destination.ts';
import { prepareMarks } from '../../write/metadata-columns.ts';
import type { MergedInto } from '../../write/merge-into.ts';
import { nullKeyWarning } from '../../write/null-keys.ts';
import { type Load, becomesTable } from '../choose-placing.ts';
import { mergeWhole, putInPlace } from '../put-in-place.ts';

export interface PlacedLoad {
  readonly warnings: readonly string[];
  /** Undefined if the staging table became the destination table. */
  readonly merged: MergedInto | undefined;
  /** Rows of the table that the source no longer has. */
  readonly gone: number;
  /** In a table that was replaced. */
  readonly conflicts?: ConflictCounts | undefined;
}

export async function placeOrMerge(load: Load): Promise<PlacedLoad> {
  const { facts, plan, destination, placing } = load;
  const warnings = await nullKeyWarning(destination, facts.stagingName, facts.settings, plan.source);
  if (becomesTable(placing)) {
    await prepareMarks(destination, facts);
    const { gone, conflicts } = await putInPlace(load);
    return { warnings, merged: undefined, gone, conflicts };
  }
  await destination.query(analyze(facts.stagingName));
  const merged = await mergeWhole(load);
  // The staging table is as large as the table, and the next sync cannot reuse it, because it is logged.
  await destination.query(dropTable(facts.stagingName));
  return { warnings, merged, gone: merged.deleted };
}
