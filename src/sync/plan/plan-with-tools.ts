/** A plan that knows of pg_dump and of the source's pages what it needs to. */
import { asIncrepError } from '../../errors.ts';
import { describeHeap, measureTable } from '../../postgres/heap.ts';
import { isAboutOneStatement } from '../../postgres/server-errors.ts';
import { lacksSize } from './loader-choice.ts';
import type { Facts, TableFacts, TableFailure } from '../facts/facts.ts';
import type { Plan, Request } from './plan.ts';
import { planTable } from './plan-table.ts';
import type { RunContext } from '../context/run-context.ts';

/**
 * The programs are asked for their versions only where a load wants them: that takes longer than a quiet sync. And the
 * files of a table are looked at only where it is to be loaded in chunks: that waits for who holds the table alone.
 */
export async function planWithTools(
  context: Pick<RunContext, 'tools' | 'source'>,
  facts: TableFacts,
  request: Request,
): Promise<Plan> {
  const plan = planTable(facts, request);
  if (plan.kind !== 'load') return plan;
  if (plan.loader.isForSize && lacksSize(plan.source)) {
    const bytes = await context.source.withReading((client) => measureTable(client, plan.source.oid));
    if (bytes > 0) return planWithTools(context, { ...facts, source: { ...plan.source, bytes } }, request);
  }
  if (plan.loader.loader === 'pg_dump' && !facts.tools)
    return planTable({ ...facts, tools: await context.tools() }, request);
  if (!facts.settings.chunk || plan.oneGoWhy !== undefined || facts.heap) return plan;
  const heap = await context.source.withReading((client) => describeHeap(client, plan.source.oid));
  return planTable({ ...facts, heap }, request);
}

interface Planned {
  readonly table: TableFacts;
  readonly plan: Plan;
}

interface AllPlanned {
  readonly planned: readonly Planned[];
  /** Tables that have no plan. */
  readonly failures: readonly TableFailure[];
}

/** Of every table, with those of `facts` that are without facts. */
export async function planAll(
  context: Pick<RunContext, 'tools' | 'source'>,
  facts: Facts,
  request: Request,
): Promise<AllPlanned> {
  const planned: Planned[] = [];
  const failures = [...facts.failures];
  for (const table of facts.tables) {
    try {
      planned.push({ table, plan: await planWithTools(context, table, request) });
    } catch (thrown) {
      const error = asIncrepError(thrown);
      if (!isAboutOneStatement(error)) throw error;
      failures.push({ settings: table.settings, error });
    }
  }
  return { planned, failures };
}
