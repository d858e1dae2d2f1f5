/** Plans with what they would mean: how much there is to read. */
import { z } from 'zod';
import type { IncrepError } from '../errors.ts';
import type { Action, Loader } from '../events.ts';
import type { Database } from '../postgres/database.ts';
import { highWaterMark } from '../sql/fence.ts';
import type { Facts, TableFacts } from './facts.ts';
import type { Plan, Request } from './plan.ts';
import { planWithTools } from './plan-with-tools.ts';
import type { Work } from './work.ts';
import { loaderWarning } from './sync-table.ts';

export interface Foreseen {
  readonly name: string;
  readonly action: Action | 'refused';
  readonly reason: string;
  /** What would happen to types of the destination; part of the reason. */
  readonly typeChanges: readonly string[];
  readonly loader: Loader | undefined;
  /** Of the whole table, as the source's planner believes. */
  readonly estimatedRows: number | undefined;
  readonly estimatedBytes: number | undefined;
  readonly cursor: string | null;
  /** Where the source stands now; null without a plausible key, or where nothing can be read. */
  readonly high: string | null;
  readonly hasWork: boolean;
  /** Whether this sync would look for rows that are gone from the source. */
  readonly removesDeleted: boolean;
  /** When that was done last, RFC 3339; undefined where `deletes` is "ignore". */
  readonly deletes: { readonly checkedAt: string | null; readonly everySeconds: number } | undefined;
  readonly warnings: readonly string[];
  readonly error: IncrepError | undefined;
}

export async function foresee(
  work: Pick<Work, 'source' | 'tools'>,
  facts: Facts,
  request: Request,
): Promise<Foreseen[]> {
  const plans: Planned[] = [];
  for (const table of facts.tables) plans.push({ table, plan: await planWithTools(work, table, request) });
  const marks = await highWaterMarks(work.source, plans);
  return plans.map(({ table, plan }) => describe(table, plan, marks.get(table.settings.name) ?? null));
}

type Planned = { readonly table: TableFacts; readonly plan: Plan };

/** All in one message, and only for tables that can be read. */
async function highWaterMarks(
  source: Database,
  plans: readonly Planned[],
): Promise<Map<string, string | null>> {
  const { timeZone } = await source.identity();
  const readable = plans.flatMap(({ table, plan }) =>
    'keyType' in plan ? [{ table, keyType: plan.keyType }] : [],
  );
  const answers = await source.readAtOnce(
    readable.map(({ table, keyType }) =>
      highWaterMark(table.sourceName, table.settings.replicationKey, keyType, timeZone),
    ),
  );
  const markRow = z.object({ high: z.string().nullable() });
  return new Map(
    readable.map(({ table }, index) => [table.settings.name, markRow.parse(answers[index]?.rows[0]).high]),
  );
}

function describe({ settings, source, saved }: TableFacts, plan: Plan, high: string | null): Foreseen {
  const cursor =
    saved.kind === 'record' ? saved.record.cursor : saved.kind === 'legacy' ? saved.cursor : null;
  const hasFences = saved.kind === 'record' && saved.record.fences.length > 0;
  return {
    name: settings.name,
    action: plan.kind === 'refuse' ? 'refused' : plan.action,
    reason: plan.reason,
    typeChanges: 'typeChanges' in plan ? plan.typeChanges : [],
    loader: plan.kind === 'load' ? plan.loader.loader : undefined,
    estimatedRows: source?.estimatedRows,
    estimatedBytes: source?.bytes,
    cursor,
    high,
    hasWork:
      plan.kind === 'load' ||
      (plan.kind === 'incremental' &&
        (high !== cursor || hasFences || plan.removesDeleted || plan.typeChanges.length > 0)),
    removesDeleted: plan.kind === 'incremental' && plan.removesDeleted,
    deletes:
      settings.deletes === 'ignore'
        ? undefined
        : {
            checkedAt: saved.kind === 'record' ? saved.record.deletesCheckedAt : null,
            everySeconds: settings.deletesEverySeconds,
          },
    warnings: [...('warnings' in saved ? saved.warnings : []), ...loaderWarning(plan)],
    error: plan.kind === 'refuse' ? plan.error : undefined,
  };
}
