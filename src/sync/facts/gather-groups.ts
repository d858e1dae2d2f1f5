/** Gathers the facts of many tables, group by group. */
import type { TableSettings } from '../../config/settings.ts';
import { batchesOf, GROUP_SIZE } from '../../postgres/batches.ts';
import { describeEarly, type EarlySides } from './describe-sides.ts';
import type { Facts, Gathering } from './facts.ts';
import { gatherFacts } from './gather-facts.ts';

interface DescribedAhead {
  /** The time before the tables were described (a time of `performance.now`). */
  readonly at: number;
  readonly sides: Promise<EarlySides>;
}

/** If this fails, the tables are described again, and that reports the error. */
export const describeAhead = (context: Gathering, tables: readonly TableSettings[] = []): DescribedAhead => ({
  at: performance.now(),
  sides: describeEarly(context, tables).catch(() => new Map()),
});

/** The facts of each group. The servers describe the next group while the caller works on one. */
export async function* gatherGroups(
  context: Gathering,
  tables: readonly TableSettings[],
): AsyncGenerator<Facts> {
  const groups = [...batchesOf(tables, GROUP_SIZE)];
  let described = describeAhead(context, groups[0]);
  for (const [place, group] of groups.entries()) {
    const sides = Promise.resolve(await described.sides);
    described = describeAhead(context, groups[place + 1]);
    yield await gatherFacts(context, group, sides);
  }
}
