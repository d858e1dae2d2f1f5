/** Compares two sides in two open transactions: first digests of groups of rows, then the rows of the groups that differ. */
import type pg from 'pg';
import { ask } from '../../postgres/user-search-path.ts';
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

/** Small enough that V8 frees each batch in its young generation. V8 collects its old generation much later. */
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
    // The rows are taken out of the result, because the results of the driver refer to each other. A result in the old
    // generation would keep all later results and their rows, up to the 50 MB at which V8 collects them.
    const batch = (await ask<HashedRow>(client, fetchRows(cursor, rows, FETCH_ROWS))).rows.splice(0);
    yield batch;
    if (batch.length < FETCH_ROWS) break;
  }
  await client.query(closeRows(cursor));
}

async function* nothing(): AsyncGenerator<never> {
  // Equal groups hold no differing row.
}
