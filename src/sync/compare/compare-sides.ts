/** Compares two sides in two open transactions: first digests of groups of rows, then the rows of the groups that differ. */
import type pg from 'pg';
import { batchesOf } from '../../postgres/batches.ts';
import type { Database } from '../../postgres/database.ts';
import { ask, askTogether } from '../../postgres/user-search-path.ts';
import { closeRows, declareRows, digestGroups, fetchRows, type Comparable } from '../../sql/compare.ts';
import { findDifferences, type RowDifference } from './differences.ts';
import { readGroups } from '../facts/partition-groups.ts';
import { differingGroups, sumOfDigests, totalRows, type GroupDigest } from './digests.ts';
import type { HashedRow } from './keys.ts';

export interface ComparedSide {
  readonly client: pg.ClientBase;
  readonly rows: Comparable;
}

/** The source, with the server whose second connection reads partitions in groups. */
export interface ComparedSource extends ComparedSide {
  readonly database: Database;
}

export interface Comparison {
  readonly sourceRows: number;
  readonly destinationRows: number;
  readonly differences: AsyncIterable<RowDifference>;
}

/** Groups of rows whose rows are held at once, if the table is read in groups of partitions: about 50,000 rows. */
const SHARE = 100;

/**
 * Rows of the first batch: small enough that V8 frees them in its young generation. V8 collects its old generation much
 * later. Each batch is twice as large as the one before, up to the last number, because each one is a round trip.
 */
const FETCHED = { first: 500, most: 8000 } as const;

export async function compareSides(source: ComparedSource, destination: ComparedSide): Promise<Comparison> {
  const [expected, found] = await Promise.all([digestsAtSource(source), digestsOf(destination)]);
  const groups = differingGroups(expected, found);
  return {
    sourceRows: totalRows(expected),
    destinationRows: totalRows(found),
    differences: source.rows.from.inGroups
      ? inShares(source, destination, groups)
      : groups.length === 0
        ? nothing()
        : findDifferences(rowsOf(source, groups), rowsOf(destination, groups)),
  };
}

/** Partitions share the groups of rows, so the digests of each group are added up. */
async function digestsAtSource({ database, client, rows }: ComparedSource): Promise<GroupDigest[]> {
  const parts = readGroups({ database, holder: client }, rows.from, (reader, from) =>
    digestsOf({ client: reader, rows: { ...rows, from } }),
  );
  return sumOfDigests(parts);
}

/**
 * Each share of the groups is read from all partitions and sorted here, because no cursor can stay open for each partition. The
 * other side reads the same share, in the same order.
 */
async function* inShares(
  source: ComparedSource,
  destination: ComparedSide,
  groups: readonly number[],
): AsyncGenerator<RowDifference> {
  for (const share of batchesOf(groups, SHARE))
    yield* findDifferences(sortedRows(source, share), rowsOf(destination, share));
}

async function* sortedRows(
  { database, client, rows }: ComparedSource,
  groups: readonly number[],
): AsyncGenerator<HashedRow[]> {
  const parts = readGroups({ database, holder: client }, rows.from, async (reader, from) => {
    const found: HashedRow[] = [];
    for await (const batch of rowsOf({ client: reader, rows: { ...rows, from } }, groups))
      found.push(...batch);
    return found;
  });
  const all: HashedRow[] = [];
  for await (const part of parts) all.push(...part);
  yield merged(
    all.toSorted((one, other) => byText(one.hash, other.hash) || byText(one.content, other.content)),
  );
}

const byText = (one: string, other: string): number => (one < other ? -1 : Number(one > other));

/** Equal rows without a key are counted in each part. */
function merged(rows: readonly HashedRow[]): HashedRow[] {
  const all: HashedRow[] = [];
  for (const row of rows) {
    const last = all.at(-1);
    if (last?.copies === undefined || row.copies === undefined || last.hash !== row.hash) all.push(row);
    else all[all.length - 1] = withCopies(last, last.copies + row.copies, row.pendingCopies);
  }
  return all;
}

const withCopies = (row: HashedRow, copies: number, pending = 0): HashedRow => ({
  ...row,
  copies,
  pendingCopies: (row.pendingCopies ?? 0) + pending,
});

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
