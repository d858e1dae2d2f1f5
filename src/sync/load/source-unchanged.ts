/** Asks the source whether it still holds what a full refresh has read, and the copy what that was. */
import type pg from 'pg';
import { z } from 'zod';
import type { Relation } from '../../schema/relations.ts';
import { farFrom } from '../../sql/compare.ts';
import { countAndWritten, digestWhole } from '../../sql/unchanged-check.ts';
import { ask } from '../../postgres/usual-path.ts';
import type { TableFacts } from '../facts/facts.ts';
import type { RaisedFence } from '../fence/fence.ts';
import type { RefreshPlan } from '../plan/plan.ts';
import { hasTransactionIds, type UnchangedCheck, type WasRead } from '../plan/unchanged-check.ts';
import { withTableSnapshot } from '../read/read-window.ts';
import type { TableJob } from '../plan/table-job.ts';

const numbersRow = z.object({ rows: z.string(), isWritten: z.boolean(), isHeap: z.boolean().nullable() });
const digestRow = z.object({ rows: z.string(), digest: z.string() });

/** `fence` was raised before: its transaction IDs are those of the snapshot that is opened here, or lower. */
export async function isUnchanged(
  { context, facts, plan }: Pick<TableJob<RefreshPlan>, 'context' | 'facts' | 'plan'>,
  check: UnchangedCheck,
  fence: RaisedFence,
): Promise<boolean> {
  const { sourceRows } = facts;
  const { oid, columns } = plan.source;
  const question =
    check.kind === 'transaction-ids'
      ? countAndWritten(sourceRows, oid, check.since, farFrom(fence.nextXid))
      : digestWhole(
          sourceRows,
          columns.map(({ name }) => name),
        );
  // Each copy has read its source at a time of its own.
  return withTableSnapshot({ context, facts, plan }, undefined, [question], (_, [answer]) =>
    Promise.resolve(isSame(check, answer?.rows[0])),
  );
}

function isSame(check: UnchangedCheck, answer: unknown): boolean {
  if (check.kind === 'digest') {
    const { rows, digest } = digestRow.parse(answer);
    return rows === check.known.rows && digest === check.digest;
  }
  const { rows, isWritten, isHeap } = numbersRow.parse(answer);
  return isHeap === true && !isWritten && rows === check.known.rows;
}

/**
 * Of what has just arrived in the staging table, whole. It is hashed there and not at the source, so that what was copied
 * counts, and not what a second look would show.
 */
export async function contentsOf(
  destination: pg.ClientBase,
  facts: TableFacts,
  source: Relation,
  rows: number,
): Promise<WasRead> {
  const needsDigest = facts.settings.skipUnchanged && !hasTransactionIds(facts, source);
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
