/** The staging table holds what it should, and becomes the table or goes into it. */
import { analyze, dropTable } from '../../../sql/destination.ts';
import { becomesTable, mergeWhole, putInPlace, type Load } from '../load.ts';
import { prepareMarks } from '../../write/metadata-columns.ts';
import type { MergedInto } from '../../write/merge-into.ts';
import { nullKeyWarning } from '../../write/null-keys.ts';

export interface Settled {
  readonly warnings: readonly string[];
  /** Undefined where the staging table has become the table. */
  readonly merged: MergedInto | undefined;
  /** Rows of the table that the source no longer has. */
  readonly gone: number;
}

/** As a load in one go ends. */
export async function settle(load: Load): Promise<Settled> {
  const { facts, plan, destination, placing } = load;
  const warnings = await nullKeyWarning(destination, facts.stagingName, facts.settings, plan.source);
  if (becomesTable(placing)) {
    await prepareMarks(destination, facts);
    const { gone } = await putInPlace(load);
    return { warnings, merged: undefined, gone };
  }
  await destination.query(analyze(facts.stagingName));
  const merged = await mergeWhole(load);
  // As large as the table, and not emptied by the next sync but dropped, because it is logged.
  await destination.query(dropTable(facts.stagingName));
  return { warnings, merged, gone: merged.deleted };
}
