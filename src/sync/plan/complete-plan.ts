/** Decides how the rows of a load are read, from the installed programs and the pages of the source table. */
import { asIncrepError } from '../../errors.ts';
import { describeHeap, measureTable } from '../../postgres/heap.ts';
import { isAboutOneStatement } from '../../postgres/server-errors.ts';
import type { Relation } from '../../schema/relations.ts';
import type { Facts, TableFacts, TableFailure } from '../facts/facts.ts';
import type { RunContext } from '../context/run-context.ts';
import { AS_A_WHOLE, chooseChunks, unfitForChunks } from './chunk-choice.ts';
import { BY_COPY, chooseLoader, lacksSize, type LoaderChoice } from './loader-choice.ts';
import {
  isKeyedPlan,
  type DraftPlan,
  type LoadDraft,
  type Loading,
  type Plan,
  type PlanRequest,
} from './plan.ts';
import { planTable } from './plan-table.ts';

type PlanSources = Pick<RunContext, 'tools' | 'source'>;

export const planCompletely = (
  context: PlanSources,
  facts: TableFacts,
  request: PlanRequest,
): Promise<Plan> => completePlan(context, facts, planTable(facts, request));

/**
 * Reads the versions of pg_dump and pg_restore only if a load needs them: that takes longer than a sync of no changes.
 * Reads the pages of a table only for a load in chunks: that waits for a session with an exclusive lock on the table.
 */
export async function completePlan(context: PlanSources, facts: TableFacts, draft: DraftPlan): Promise<Plan> {
  if (draft.kind !== 'load') return draft;
  if (draft.adoption === 'compare') return { ...draft, loader: BY_COPY, chunking: AS_A_WHOLE };
  const { source, loader } = await findLoader(context, facts, draft.source);
  const { chunking, reasons } = await findChunks(context, facts, draft);
  return { ...draft, source, loader, chunking, reasons: [...draft.reasons, ...reasons] };
}

async function findLoader(
  context: PlanSources,
  { settings, servers, sourcePassword }: TableFacts,
  relation: Relation,
): Promise<{ readonly source: Relation; readonly loader: LoaderChoice }> {
  const situation = {
    wanted: settings.initialLoad,
    source: relation,
    selection: settings.selection,
    server: servers.source,
    tools: undefined,
    password: sourcePassword,
  };
  const quick = chooseLoader(situation);
  const isSizeMissing = quick.cause?.code === 'small-table' && lacksSize(relation);
  const bytes = isSizeMissing
    ? await context.source.withReading((client) => measureTable(client, relation.oid))
    : 0;
  const source = bytes > 0 ? { ...relation, bytes } : relation;
  const loader = bytes > 0 ? chooseLoader({ ...situation, source }) : quick;
  return loader.loader === 'pg_dump'
    ? { source, loader: chooseLoader({ ...situation, source, tools: await context.tools() }) }
    : { source, loader };
}

async function findChunks(
  context: PlanSources,
  facts: TableFacts,
  draft: LoadDraft,
): Promise<Pick<Loading, 'chunking'> & Pick<Plan, 'reasons'>> {
  const { chunk: size } = facts.settings;
  if (!size || !isKeyedPlan(draft) || draft.adoption) return { chunking: AS_A_WHOLE, reasons: [] };
  const cause = unfitForChunks(draft.source);
  if (cause) return { chunking: { kind: 'whole', cause }, reasons: [] };
  const heap = await context.source.withReading((client) => describeHeap(client, draft.source.oid));
  return chooseChunks(facts, draft.source, { heap, size });
}

interface TableWithPlan {
  readonly table: TableFacts;
  readonly plan: Plan;
}

interface AllPlanned {
  readonly planned: readonly TableWithPlan[];
  /** Tables without a plan. */
  readonly failures: readonly TableFailure[];
}

/** Plans every table. The failures include those of `facts`. */
export async function planAll(context: PlanSources, facts: Facts, request: PlanRequest): Promise<AllPlanned> {
  const planned: TableWithPlan[] = [];
  const failures = [...facts.failures];
  for (const table of facts.tables) {
    try {
      planned.push({ table, plan: await planCompletely(context, table, request) });
    } catch (thrown) {
      const error = asIncrepError(thrown);
      if (!isAboutOneStatement(error)) throw error;
      failures.push({ settings: table.settings, error });
    }
  }
  return { planned, failures };
}
