/** Decides which groups of rows differ. Pure. */

export interface GroupDigest {
  readonly group: number;
  readonly rows: number;
  readonly digest: string;
}

/** The average size of a group. If one row differs, all rows of its group are read. */
const ROWS_PER_GROUP = 500;
/** Limits the memory: each side holds one digest per group. */
const MAX_GROUPS = 20_000;

export const groupsFor = (rows: number): number =>
  Math.min(MAX_GROUPS, Math.max(1, Math.ceil(rows / ROWS_PER_GROUP)));

export function differingGroups(
  source: readonly GroupDigest[],
  destination: readonly GroupDigest[],
): number[] {
  const expected = new Map(source.map((digest) => [digest.group, digest]));
  const differing = new Set<number>();
  for (const { group, rows, digest } of destination) {
    const other = expected.get(group);
    if (other?.rows !== rows || other.digest !== digest) differing.add(group);
    expected.delete(group);
  }
  return [...differing, ...expected.keys()].toSorted((a, b) => a - b);
}

/** The digest of the rows of several parts is the sum of theirs. */
export async function sumOfDigests(parts: AsyncIterable<readonly GroupDigest[]>): Promise<GroupDigest[]> {
  const sums = new Map<number, { rows: number; digest: bigint }>();
  for await (const part of parts)
    for (const { group, rows, digest } of part) {
      const sum = sums.get(group) ?? { rows: 0, digest: 0n };
      sums.set(group, { rows: sum.rows + rows, digest: sum.digest + BigInt(digest) });
    }
  return [...sums].map(([group, { rows, digest }]) => ({ group, rows, digest: String(digest) }));
}

export const totalRows = (digests: readonly GroupDigest[]): number =>
  digests.reduce((sum, { rows }) => sum + rows, 0);
