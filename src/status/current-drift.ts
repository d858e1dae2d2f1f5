/** Which copies no longer have the shape of their source: what a sync would say, asked in a short time. */
import type { TableSettings } from '../config/settings.ts';
import { asIncrepError, type IncrepError } from '../errors.ts';
import { gatherFacts, type TableFailure } from '../sync/facts/facts.ts';
import { reasonText } from '../report/reasons.ts';
import { withSourceTimeout } from './source-timeout.ts';
import { ordinaryRequest } from '../sync/plan/plan.ts';
import { planTable } from '../sync/plan/plan-table.ts';
import type { RunContext } from '../sync/context/run-context.ts';

export interface Drift {
  readonly what: string;
  readonly next: string;
}

export interface Drifts {
  /** By name; undefined where nobody could look. */
  readonly found: ReadonlyMap<string, Drift> | undefined;
  /** Tables that nobody could look at, although others could be. */
  readonly failures: readonly TableFailure[];
  /** Why. */
  readonly trouble: IncrepError | undefined;
}

export async function driftNow(context: RunContext, tables: readonly TableSettings[]): Promise<Drifts> {
  try {
    const facts = await withSourceTimeout(context, (source) => gatherFacts({ ...context, source }, tables));
    return { found: new Map(facts.tables.flatMap(driftOf)), failures: facts.failures, trouble: undefined };
  } catch (error) {
    context.signal?.throwIfAborted();
    return { found: undefined, failures: [], trouble: asIncrepError(error) };
  }
}

function driftOf(facts: Parameters<typeof planTable>[0]): [string, Drift][] {
  const plan = planTable(facts, ordinaryRequest());
  const { name } = facts.settings;
  if (plan.kind === 'load' && plan.action === 'reset')
    return [
      [name, { what: reasonText(plan.reasons), next: 'The next "increp sync" loads the table again.' }],
    ];
  if (plan.kind === 'incremental' && plan.evolution)
    return [[name, { what: reasonText(plan.reasons), next: 'The next "increp sync" does so.' }]];
  return plan.kind === 'refuse' && plan.error.code === 'SCHEMA_CHANGE_REFUSED'
    ? [[name, { what: plan.error.message, next: plan.error.next }]]
    : [];
}
