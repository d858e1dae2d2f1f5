/** Digests, and then the rows of the groups that differ, from two open transactions. */
import type pg from 'pg';
import { ask } from '../../postgres/usual-path.ts';
import { closeRows, declareRows, digestGroups, fetchRows, type Comparable } from '../../sql/compare.ts';
import { findDifferences, type RowDifference } from './differences.ts';
import { differingGroups, totalRows, type GroupDigest } from './digests.ts';
import type { HashedRow } from './keys.ts';

export interface ComparedSide {
  readonly client: pg.ClientBase;
  readonly rows: Comparable;
}

export interface Comparison {
  readonly sourceRows: number;
  readonly destinationRows: number;
  readonly differences: AsyncIterable<RowDifference>;
}

/** Few enough to be garbage before they grow old: V8 lets old garbage lie until there is a lot of it. */
const FETCH_ROWS = 500;

export async function compareSides(source: ComparedSide, destination: ComparedSide): Promise<Comparison> {
  const [expected, found] = await Promise.all([digestsOf(source), digestsOf(destination)]);
  const groups = differingGroups(expected, found);
  return {
    sourceRows: totalRows(expected),
    destinationRows: totalRows(found),
    differences:
      groups.length === 0 ? nothing() : findDifferences(rowsOf(source, groups), rowsOf(destination, groups)),
  };
}

async function digestsOf({ client, rows }: ComparedSide): Promise<GroupDigest[]> {
  return (await ask<GroupDigest>(client, digestGroups(rows))).rows;
}

async function* rowsOf(
  { client, rows }: ComparedSide,
  groups: readonly number[],
): AsyncGenerator<HashedRow[]> {
  const cursor = 'increp_rows';
  await ask(client, declareRows(cursor, rows, groups));
  for (;;) {
    // Taken out of the result: the driver's results are strung together, so that one that has grown old keeps all
    // that follow, and with them every row, until the garbage of 50 MB is worth a collection to V8.
    const batch = (await ask<HashedRow>(client, fetchRows(cursor, rows, FETCH_ROWS))).rows.splice(0);
    yield batch;
    if (batch.length < FETCH_ROWS) break;
  }
  await client.query(closeRows(cursor));
}

async function* nothing(): AsyncGenerator<never> {
  // Equal groups hold no differing row.
}
