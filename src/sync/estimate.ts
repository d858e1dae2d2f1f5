/** How much there is to read: where the source stands, and what each window holds. */
import { z } from 'zod';
import type { Database } from '../postgres/database.ts';
import { windowStart } from '../schema/fences.ts';
import { countWindow, explainWindow } from '../sql/estimate.ts';
import { highWaterMark } from '../sql/fence.ts';
import type { Window } from '../sql/window.ts';
import type { TableFacts } from './facts.ts';
import { markedRows, readMark } from './fence.ts';
import { legacyStart } from './legacy-cursor.ts';
import type { IncrementalPlan, KeyedLoadPlan, Plan } from './plan.ts';
import { knownBefore } from './transfer.ts';

export interface Estimate {
  /** The largest plausible key now; null where there is none. */
  readonly high: string | null;
  /** Rows and bytes of the window of an incremental sync, and of a load that is not of a whole table; else undefined. */
  readonly window: Volume | undefined;
}

export interface Volume {
  /** Undefined before the first ANALYZE. */
  readonly rows: number | undefined;
  /** As wide as the planner believes that rows are. */
  readonly bytes: number;
  /** There are more: so many were counted. */
  readonly isMore?: boolean;
}

/** The planner knows little of rows that came after the last ANALYZE, so that many are counted. */
const COUNTED = 10_000;

interface Planned {
  readonly table: TableFacts;
  readonly plan: Plan;
}

interface Reading {
  readonly table: TableFacts;
  readonly plan: IncrementalPlan | KeyedLoadPlan;
  readonly window: Window;
}

const planRow = z.object({
  'QUERY PLAN': z.tuple([
    z.object({ Plan: z.object({ 'Plan Rows': z.number(), 'Plan Width': z.number() }) }),
  ]),
});

const countRow = z.object({ rows: z.number() });

/** All in one message, and only of tables that can be read. */
export async function estimateReading(
  source: Database,
  planned: readonly Planned[],
): Promise<ReadonlyMap<TableFacts, Estimate>> {
  const { timeZone } = await source.identity();
  const readable = planned.flatMap(({ table, plan }) => ('keyType' in plan ? [{ table, plan }] : []));
  const windows = readable.flatMap(({ table, plan }): Reading[] => {
    if (plan.kind === 'incremental') return [{ table, plan, window: widest(table, plan) }];
    const { where, query } = table.settings.selection;
    return where === null && query === null ? [] : [{ table, plan, window: everything(plan) }];
  });
  const countable = windows.filter(isCountable);
  const answers = await source.readAtOnce([
    ...readable.map(({ table, plan }) => highWaterMark(markedRows(table, plan), timeZone)),
    ...windows.map(({ table, plan, window }) => explainWindow(table.sourceRows, plan.source.columns, window)),
    ...countable.map(({ table, window }) => countWindow(table.sourceRows, window, COUNTED)),
  ]);
  const [explained, counted] = [readable.length, readable.length + windows.length];
  const counts = new Map(
    countable.map(({ table }, index) => [table, countRow.parse(answers[counted + index]?.rows[0]).rows]),
  );
  const volumes = new Map(
    windows.map(({ table }, index) => [
      table,
      volumeOf(answers[explained + index]?.rows[0], counts.get(table)),
    ]),
  );
  return new Map(
    readable.map(({ table, plan: { keyType } }, index) => [
      table,
      { high: readMark(keyType, answers[index]?.rows[0]).high, window: volumes.get(table) },
    ]),
  );
}

/** As wide as it can be: as if every transaction that an earlier sync left open had ended. */
const widest = (facts: TableFacts, plan: IncrementalPlan): Window => ({
  replicationKey: plan.replicationKey,
  keyType: plan.keyType,
  from:
    'legacyCursor' in plan.since
      ? legacyStart(plan.since.legacyCursor, plan.keyType)
      : windowStart(knownBefore(facts, plan), []),
  lookbackSeconds: facts.settings.lookbackSeconds,
  nullKeys: facts.settings.nullKeys,
});

const everything = ({ replicationKey, keyType }: KeyedLoadPlan): Window => ({
  replicationKey,
  keyType,
  from: null,
  lookbackSeconds: 0,
  nullKeys: 'include',
});

/** Without an index, or with NULL keys besides, to count may mean to read the whole table. */
const isCountable = ({ plan, window }: Reading): boolean =>
  window.from !== null &&
  window.nullKeys === 'warn' &&
  plan.source.indexedColumns.includes(window.replicationKey);

function volumeOf(row: unknown, counted: number | undefined): Volume {
  const [{ Plan: plan }] = planRow.parse(row)['QUERY PLAN'];
  const believed = plan['Plan Rows'];
  const isMore = counted === COUNTED;
  const rows = isMore ? Math.max(counted, believed) : (counted ?? believed);
  return { rows, bytes: rows * plan['Plan Width'], isMore: isMore && believed <= counted };
}
