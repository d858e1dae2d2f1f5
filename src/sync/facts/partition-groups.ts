/**
 * Reads a table with more partitions than the lock table of the source has room for. A transaction keeps its locks until its
 * end, so each group of partitions is read in a transaction of its own. All of them see the snapshot of one session, which
 * locks only the partitioned table itself.
 */
import type pg from 'pg';
import * as z from 'zod';
import { IncrepError } from '../../errors.ts';
import type { Database } from '../../postgres/database.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';
import { askTogether } from '../../postgres/user-search-path.ts';
import { printName } from '../../schema/names.ts';
import { REWRITTEN_SINCE_SNAPSHOT } from '../../sql/heap.ts';
import { areRenamed, listPartitions } from '../../sql/partitions.ts';
import { partitionRows, type InGroups, type RowSource } from '../../sql/row-source.ts';
import { EXPORT_SNAPSHOT, importSnapshot } from '../../sql/session.ts';

const partitionRow = z.object({
  oid: z.string(),
  schema: z.string(),
  table: z.string(),
  locks: z.number(),
});
type Partition = z.infer<typeof partitionRow>;
const exportedRow = z.object({ snapshot: z.string() });
const rewrittenRow = z.object({ isRewritten: z.boolean() });
const renamedRow = z.object({ areRenamed: z.boolean() });

/** Some partitions, whose locks fit. */
export interface PartitionGroup {
  readonly rows: RowSource;
  /** Asked in the transaction that has read the rows. */
  readonly check: string;
}

/** The session that holds the snapshot, and its server. */
export interface HeldSnapshot {
  readonly database: Database;
  readonly holder: pg.ClientBase;
}

type GroupWork<T> = (client: pg.ClientBase, rows: RowSource) => Promise<T>;

/** One result for each group. A table that one statement can read is one group, which the holder of the snapshot reads. */
export async function* readGroups<T>(
  { database, holder }: HeldSnapshot,
  rows: RowSource,
  read: GroupWork<T>,
): AsyncGenerator<T> {
  const { inGroups } = rows;
  if (!inGroups) {
    yield await read(holder, rows);
    return;
  }
  const groups = await listGroups(holder, inGroups);
  const { snapshot } = exportedRow.parse((await holder.query(EXPORT_SNAPSHOT)).rows[0]);
  for (const group of groups)
    yield await whileUnchanged(inGroups, () =>
      database.second.withSnapshot([importSnapshot(snapshot)], async (client) => {
        const result = await read(client, group.rows);
        // The locks on this group came after the snapshot. TRUNCATE removes rows from older snapshots, too.
        const [rewritten, renamed] = await askTogether(client, [REWRITTEN_SINCE_SNAPSHOT, group.check]);
        if (rewrittenRow.parse(rewritten?.rows[0]).isRewritten) throw changed(inGroups);
        ensureSame(inGroups, renamed?.rows[0]);
        return result;
      }),
    );
}

/** The groups as they are now, or in the snapshot of the transaction. */
export async function listGroups(client: pg.ClientBase, inGroups: InGroups): Promise<PartitionGroup[]> {
  const { rows } = await client.query(listPartitions(inGroups.oid));
  return divide(z.array(partitionRow).parse(rows), inGroups.locks).map((group) => ({
    rows: partitionRows(inGroups, group),
    check: areRenamed(group),
  }));
}

/** @param row the answer to the check of a group. @throws IncrepError SCHEMA_CHANGED */
export function ensureSame(inGroups: InGroups, row: unknown): void {
  if (renamedRow.parse(row).areRenamed) throw changed(inGroups);
}

/** A group has one partition at least. */
function divide(partitions: readonly Partition[], limit: number): Partition[][] {
  const groups: Partition[][] = [];
  let taken = Infinity;
  for (const partition of partitions) {
    if (taken + partition.locks > limit) {
      groups.push([]);
      taken = 0;
    }
    groups.at(-1)?.push(partition);
    taken += partition.locks;
  }
  return groups;
}

/** A partition that was dropped since its group was listed. @throws IncrepError SCHEMA_CHANGED */
export async function whileUnchanged<T>(inGroups: InGroups, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isGone = error instanceof IncrepError && error.sqlstate === SQLSTATE.undefinedTable;
    throw isGone ? changed(inGroups, error) : error;
  }
}

const changed = ({ selection: { table } }: InGroups, cause?: IncrepError): IncrepError =>
  new IncrepError('SCHEMA_CHANGED', {
    what: `a partition of ${printName(table)} was truncated, rewritten, renamed or dropped while increp was reading it`,
    next: 'Run increp again after the schema change is complete.',
    cause,
  });
