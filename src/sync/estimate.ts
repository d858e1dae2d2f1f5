/** How much there is to read: where the source stands, and what its planner believes about each window. */
import { z } from 'zod';
import type { Database } from '../postgres/database.ts';
import { windowStart } from '../schema/fences.ts';
import { explainWindow } from '../sql/estimate.ts';
import { highWaterMark } from '../sql/fence.ts';
import type { TableFacts } from './facts.ts';
import { legacyStart } from './legacy-cursor.ts';
import type { IncrementalPlan, Plan } from './plan.ts';
import { knownBefore } from './transfer.ts';

export interface Estimate {
  /** The largest plausible key now; null where there is none. */
  readonly high: string | null;
  /** Rows and bytes of the window of an incremental sync; undefined for a load. */
  readonly window: Volume | undefined;
}

/** What the planner believes. */
export interface Volume {
  /** Undefined before the first ANALYZE. */
  readonly rows: number | undefined;
  readonly bytes: number;
}

interface Planned {
  readonly table: TableFacts;
  readonly plan: Plan;
}

const markRow = z.object({ high: z.string().nullable() });
const planRow = z.object({
  'QUERY PLAN': z.tuple([
    z.object({ Plan: z.object({ 'Plan Rows': z.number(), 'Plan Width': z.number() }) }),
  ]),
});

/** All in one message, and only of tables that can be read. */
export async function estimateReading(
  source: Database,
  planned: readonly Planned[],
): Promise<ReadonlyMap<TableFacts, Estimate>> {
  const { timeZone } = await source.identity();
  const readable = planned.flatMap(({ table, plan }) => ('keyType' in plan ? [{ table, plan }] : []));
  const incremental = readable.flatMap(({ table, plan }) =>
    plan.kind === 'incremental' ? [{ table, plan }] : [],
  );
  const answers = await source.readAtOnce([
    ...readable.map(({ table, plan: { keyType } }) =>
      highWaterMark(table.sourceName, table.settings.replicationKey, keyType, timeZone),
    ),
    ...incremental.map(({ table, plan }) => explain(table, plan)),
  ]);
  const windows = new Map(
    incremental.map(({ table }, index) => [table, volumeOf(answers[readable.length + index]?.rows[0])]),
  );
  return new Map(
    readable.map(({ table }, index) => [
      table,
      { high: markRow.parse(answers[index]?.rows[0]).high, window: windows.get(table) },
    ]),
  );
}

/** As wide as it can be: as if every transaction that an earlier sync left open had ended. */
const explain = (facts: TableFacts, plan: IncrementalPlan): string =>
  explainWindow(facts.sourceName, plan.source.columns, {
    replicationKey: facts.settings.replicationKey,
    keyType: plan.keyType,
    from:
      'legacyCursor' in plan.since
        ? legacyStart(plan.since.legacyCursor, plan.keyType)
        : windowStart(knownBefore(facts, plan), []),
    lookbackSeconds: facts.settings.lookbackSeconds,
    nullKeys: facts.settings.nullKeys,
  });

function volumeOf(row: unknown): Volume {
  const [{ Plan: plan }] = planRow.parse(row)['QUERY PLAN'];
  return { rows: plan['Plan Rows'], bytes: plan['Plan Rows'] * plan['Plan Width'] };
}
