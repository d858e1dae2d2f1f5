/** Digests, and then the rows of the groups that differ, from two open transactions. */
import type pg from 'pg';
import { z } from 'zod';
import { closeRows, declareRows, digestGroups, fetchRows, type Comparable } from '../../sql/compare.ts';
import { findDifferences, type Difference, type HashedRow } from './differences.ts';
import { differingGroups, totalRows, type GroupDigest } from './digests.ts';

export interface ComparedSide {
  readonly client: pg.ClientBase;
  readonly rows: Comparable;
}

export interface Comparison {
  readonly sourceRows: number;
  readonly destinationRows: number;
  readonly differences: AsyncIterable<Difference>;
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

const digestRow = z.object({ group: z.number(), rows: z.number(), digest: z.string() });

async function digestsOf({ client, rows }: ComparedSide): Promise<GroupDigest[]> {
  return z.array(digestRow).parse((await client.query(digestGroups(rows))).rows);
}

const hashedRow = z.object({ key: z.string(), hash: z.string(), content: z.string(), pending: z.boolean() });

async function* rowsOf({ client, rows }: ComparedSide, groups: readonly number[]): AsyncGenerator<HashedRow> {
  const cursor = 'increp_rows';
  await client.query(declareRows(cursor, rows, groups));
  for (;;) {
    const batch = z.array(hashedRow).parse((await client.query(fetchRows(cursor, FETCH_ROWS))).rows);
    yield* batch;
    if (batch.length < FETCH_ROWS) break;
  }
  await client.query(closeRows(cursor));
}

async function* nothing(): AsyncGenerator<never> {
  // Equal groups hold no differing row.
}
