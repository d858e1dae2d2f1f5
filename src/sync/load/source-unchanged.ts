/** `skip_unchanged`: checks whether the source still holds the rows that the last full refresh read. */
import type pg from 'pg';
import * as z from 'zod';
import type { Relation } from '../../schema/relations.ts';
import { countAndWritten, digestWhole } from '../../sql/unchanged-check.ts';
import { ask } from '../../postgres/user-search-path.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { RefreshPlan } from '../plan/plan.ts';
import { transactionIdsShowChanges, type UnchangedCheck, type WasRead } from '../plan/unchanged-check.ts';
import { withTableSnapshot } from '../read/read-window.ts';
import type { TableJob } from '../plan/table-job.ts';

const transactionIdsRow = z.object({
  rows: z.string(),
  isWritten: z.boolean(),
  isHeap: z.boolean().nullable(),
});
const digestRow = z.object({ rows: z.string(), digest: z.string() });

export async function isUnchanged(
  { context, facts, plan }: Pick<TableJob<RefreshPlan>, 'context' | 'facts' | 'plan'>,
  check: UnchangedCheck,
): Promise<boolean> {
  const { sourceRows } = facts;
  // The answer would take a transaction for each group of partitions, as the read does.
  if (sourceRows.inGroups) return false;
  const { oid, columns } = plan.source;
  const question =
    check.kind === 'transaction-ids'
      ? countAndWritten(sourceRows, oid, check.since)
      : digestWhole(
          sourceRows,
          columns.map(({ name }) => name),
        );
  // No snapshot is shared, because each destination read the source at a different time.
  return withTableSnapshot({ context, facts, plan }, undefined, [question], (_, [answer]) =>
    Promise.resolve(hasSameRows(check, answer?.rows[0])),
  );
}

function hasSameRows(check: UnchangedCheck, answer: unknown): boolean {
  if (check.kind === 'digest') {
    const { rows, digest } = digestRow.parse(answer);
    return rows === check.known.rows && digest === check.digest;
  }
  const { rows, isWritten, isHeap } = transactionIdsRow.parse(answer);
  return isHeap === true && !isWritten && rows === check.known.rows;
}

/**
 * Describes the rows that have just been loaded into the staging table. The digest is computed there and not at the source,
 * so that it describes the copied rows. The source may have changed since.
 */
export async function contentsOf(
  destination: pg.ClientBase,
  facts: TableFacts,
  source: Relation,
  rows: number,
): Promise<WasRead> {
  const needsDigest = facts.settings.skipUnchanged && !transactionIdsShowChanges(facts, source);
  return { rows: String(rows), digest: needsDigest ? await digestOf(destination, facts, source) : null };
}

async function digestOf(
  destination: pg.ClientBase,
  { stagingName }: TableFacts,
  { columns }: Relation,
): Promise<string> {
  const { rows } = await ask(
    destination,
    digestWhole(
      stagingName,
      columns.map(({ name }) => name),
    ),
  );
  return digestRow.parse(rows[0]).digest;
}
