/** Compares two sides in two open transactions: first digests of groups of rows, then the rows of the groups that differ. */
import type pg from 'pg';
import { ask, askTogether } from '../../postgres/user-search-path.ts';
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

/**
 * Rows of the first batch: small enough that V8 frees them in its young generation. V8 collects its old generation much
 * later. Each batch is twice as large as the one before, up to the last number, because each one is a round trip.
 */
const FETCHED = { first: 500, most: 8000 } as const;

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
  let first = [declareRows(cursor, rows, groups)];
  for (let count: number = FETCHED.first; ; count = Math.min(FETCHED.most, count * 2)) {
    const answers = await askTogether<HashedRow>(client, [...first, fetchRows(cursor, rows, count)]);
    first = [];
    // The rows are taken out of the result, because the results of the driver refer to each other. A result in the old
    // generation would keep all later results and their rows, up to the 50 MB at which V8 collects them.
    const batch = answers.at(-1)?.rows.splice(0) ?? [];
    yield batch;
    if (batch.length < count) break;
  }
  await client.query(closeRows(cursor));
}

async function* nothing(): AsyncGenerator<never> {
  // Equal groups hold no differing row.
}
