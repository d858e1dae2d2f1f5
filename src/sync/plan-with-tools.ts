/** A plan that knows of pg_dump and of the source's pages what it needs to. */
import { describeHeap } from '../postgres/heap.ts';
import type { TableFacts } from './facts.ts';
import type { Plan, Request } from './plan.ts';
import { planTable } from './plan-table.ts';
import type { Work } from './work.ts';

/**
 * The programs are asked for their versions only where a load wants them: that takes longer than a quiet sync. And the
 * files of a table are looked at only where it is to be loaded in chunks: that waits for who holds the table alone.
 */
export async function planWithTools(
  work: Pick<Work, 'tools' | 'source'>,
  facts: TableFacts,
  request: Request,
): Promise<Plan> {
  const plan = planTable(facts, request);
  if (plan.kind !== 'load') return plan;
  if (plan.loader.loader === 'pg_dump' && !facts.tools)
    return planTable({ ...facts, tools: await work.tools() }, request);
  if (!facts.settings.chunk || plan.oneGoWhy !== undefined || facts.heap) return plan;
  const heap = await work.source.withReading((client) => describeHeap(client, plan.source.oid));
  return planTable({ ...facts, heap }, request);
}
