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
import type { RunContext } from '../context/run-context.ts';

const numbersRow = z.object({ rows: z.string(), isWritten: z.boolean(), isHeap: z.boolean().nullable() });
const digestRow = z.object({ rows: z.string(), digest: z.string() });

/** `moment` was looked at before: its numbers are those of the snapshot that is opened here, or lower. */
export async function isUnchanged(
  context: RunContext,
  facts: TableFacts,
  plan: RefreshPlan,
  probe: UnchangedCheck,
  moment: RaisedFence,
): Promise<boolean> {
  const { sourceRows } = facts;
  const { oid, columns } = plan.source;
  const question =
    probe.kind === 'numbers'
      ? countAndWritten(sourceRows, oid, probe.since, farFrom(moment.nextXid))
      : digestWhole(
          sourceRows,
          columns.map(({ name }) => name),
        );
  // Each copy has read its source at a time of its own.
  return withTableSnapshot({ context, facts, plan }, undefined, [question], (_, [answer]) =>
    Promise.resolve(isSame(probe, answer?.rows[0])),
  );
}

function isSame(probe: UnchangedCheck, answer: unknown): boolean {
  if (probe.kind === 'digest') {
    const { rows, digest } = digestRow.parse(answer);
    return rows === probe.known.rows && digest === probe.digest;
  }
  const { rows, isWritten, isHeap } = numbersRow.parse(answer);
  return isHeap === true && !isWritten && rows === probe.known.rows;
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
