/** A plan that knows of pg_dump what it needs to. */
import type { TableFacts } from './facts.ts';
import { planTable, type Plan, type Request } from './plan.ts';
import type { Work } from './work.ts';

/** The programs are asked for their versions only where a load wants them: that takes longer than a quiet sync. */
export async function planWithTools(
  work: Pick<Work, 'tools'>,
  facts: TableFacts,
  request: Request,
): Promise<Plan> {
  const plan = planTable(facts, request);
  if (plan.kind !== 'load' || plan.loader.loader !== 'pg_dump' || facts.tools) return plan;
  return planTable({ ...facts, tools: await work.tools() }, request);
}
