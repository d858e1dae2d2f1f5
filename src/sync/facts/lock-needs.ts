/** Asks how many locks tables with partitions need, because a server with default settings has room for a few thousand. */
import * as z from 'zod';
import { reworded, type IncrepError } from '../../errors.ts';
import type { Database } from '../../postgres/database.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';
import { lockNeedsAdvice, lockNeedsText, fillsLockTable, type LockNeeds } from '../../schema/lock-needs.ts';
import { printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { LOCK_NEEDS } from '../../sql/lock-needs.ts';
import type { RunContext } from '../context/run-context.ts';
import type { TableFacts } from './facts.ts';

const needsRow = z.object({
  oid: z.string(),
  tables: z.number(),
  indexes: z.number(),
  perTransaction: z.number(),
  transactions: z.number(),
});

/** By oid. Tables without partitions have no entry. */
export async function readLockNeeds(
  source: Database,
  relations: readonly (Relation | undefined)[],
): Promise<ReadonlyMap<string, LockNeeds>> {
  const oids = relations.flatMap((relation) => (relation?.hasChildren ? [relation.oid] : []));
  if (oids.length === 0) return new Map();
  const { rows } = await source.withReading((client) => client.query(LOCK_NEEDS, [oids]));
  return new Map(
    z
      .array(needsRow)
      .parse(rows)
      .map(({ oid, ...needs }) => [oid, needs]),
  );
}

/** Names the setting and its value if the partitions of this table fill the lock table. Returns other errors unchanged. */
export async function withLockNeeds(
  { source }: Pick<RunContext, 'source'>,
  facts: TableFacts,
  error: IncrepError,
): Promise<IncrepError> {
  if (error.sqlstate !== SQLSTATE.outOfMemory || !facts.source) return error;
  try {
    const needs = (await readLockNeeds(source, [facts.source])).get(facts.source.oid);
    return needs && fillsLockTable(needs)
      ? reworded(error, {
          what: `${error.message}; ${printName(facts.sourceName)} ${lockNeedsText(needs)}`,
          next: lockNeedsAdvice(needs),
          cause: error.cause,
        })
      : error;
  } catch {
    // The original error matters more than a failed search for its cause.
    return error;
  }
}
