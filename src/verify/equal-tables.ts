/**
 * Finds small tables with equal rows on both sides, many tables in one message. Each statement has a snapshot of its own, and
 * the order of the two snapshots does not matter: equal digests are equal rows. If the digests differ, the rows may have
 * changed in between. So such a table has a comparison of its own.
 */
import type pg from 'pg';
import * as z from 'zod';
import type { Database } from '../postgres/database.ts';
import type { TableName } from '../schema/names.ts';
import { hasSystemColumns, type Relation } from '../schema/relations.ts';
import { digestGroups, type Comparable } from '../sql/compare.ts';
import { hasAtMost, tableSizes } from '../sql/heap.ts';
import { lockTimeout } from '../sql/reshape.ts';
import type { Statement } from '../sql/search-path.ts';
import { differingGroups, totalRows, type GroupDigest } from '../sync/compare/digests.ts';
import { sidesOf } from '../sync/compare/sides.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { mayReadMore } from '../sync/read/shape-check.ts';
import { comparableTable, equalRows, type Verified } from './verify.ts';

/** A message reads at most this many bytes of each of its tables, so that no transaction takes long. */
const SMALL = 1_000_000;

interface SmallTable {
  readonly facts: TableFacts;
  readonly sides: ReturnType<typeof sidesOf>;
  readonly names: Readonly<Record<SideName, TableName>>;
}

type SideName = 'source' | 'destination';

/** By name. Tables with differences, large tables and tables with an error are not included: each is compared alone. */
export async function findEqualTables(
  { source, destination, timing, signal }: RunContext,
  tables: readonly TableFacts[],
): Promise<ReadonlyMap<string, Verified>> {
  const small = tables.flatMap((facts) => smallTable(facts));
  if (small.length < 2) return new Map();
  const startedAt = performance.now();
  const read = (server: Database, side: SideName) =>
    server.batches.read(
      small,
      (batch) => questionsOf(batch, side, timing.sweepLock),
      (batch, answers) => digestsOf(batch, side, answers),
    );
  const [expected, found] = await Promise.allSettled([
    read(source, 'source'),
    read(destination, 'destination'),
  ]);
  signal?.throwIfAborted();
  // After a lost connection, the comparison of each table connects again.
  if (expected.status === 'rejected' || found.status === 'rejected') return new Map();
  const durationSeconds = (performance.now() - startedAt) / 1000 / small.length;
  return new Map(
    small.flatMap(({ facts }, place): [string, Verified][] => {
      const [one, other] = [expected.value[place], found.value[place]];
      if (one?.kind !== 'done' || other?.kind !== 'done' || !one.value || !other.value) return [];
      if (differingGroups(one.value, other.value).length > 0) return [];
      return [[facts.settings.name, equalRows(facts, totalRows(one.value), durationSeconds)]];
    }),
  );
}

function smallTable(facts: TableFacts): SmallTable[] {
  const { destination, destinationName } = facts;
  if (!destination || mayReadMore(facts)) return [];
  try {
    const { relation } = comparableTable(facts);
    if (!isSmall(relation) || !isSmall(destination)) return [];
    const scope = { what: 'rows', where: 'true', isPending: 'false', destination: destinationName } as const;
    const names = { source: facts.sourceName, destination: destinationName };
    return [{ facts, sides: sidesOf(facts, { relation, ...scope }), names }];
  } catch {
    // The comparison of this table reports the error.
    return [];
  }
}

/** The catalogs know no size before the first VACUUM, so the digests check it again. */
const isSmall = (relation: Relation): boolean =>
  relation.kind === 'table' && !relation.hasChildren && hasSystemColumns(relation) && relation.bytes <= SMALL;

/**
 * The sizes come last. The digests hold locks then, so a table cannot have become smaller: if it is small now, its rows were
 * read. Waits only briefly for a table that another session has locked, because the message holds locks on other tables.
 */
const questionsOf = (
  batch: readonly SmallTable[],
  side: SideName,
  lockSeconds: number,
): readonly Statement[] => [
  lockTimeout(lockSeconds),
  ...batch.map(({ sides, names }) => digestGroups(ifSmall(sides[side], names[side]))),
  tableSizes(batch.map(({ names }) => names[side])),
];

const ifSmall = (rows: Comparable, table: TableName): Comparable => ({
  ...rows,
  where: `(${rows.where}) AND ${hasAtMost(table, SMALL)}`,
});

const sizesRow = z.object({ bytes: z.array(z.number()) });
const digestRow = z.object({ group: z.number(), rows: z.number(), digest: z.string() });

/** Undefined for a large table, whose rows were not read. */
function digestsOf(
  batch: readonly SmallTable[],
  side: SideName,
  answers: readonly pg.QueryResult[],
): (GroupDigest[] | undefined)[] {
  const { bytes } = sizesRow.parse(answers.at(-1)?.rows[0]);
  return batch.map((_, place) =>
    (bytes[place] ?? Infinity) <= SMALL ? z.array(digestRow).parse(answers[place + 1]?.rows) : undefined,
  );
}
