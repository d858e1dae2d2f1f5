/** Decides how the rows of a load are read, from the installed programs and the pages of the source table. */
import { inBatches } from '../../postgres/batches.ts';
import { describeHeap, measureTables } from '../../postgres/heap.ts';
import type { Reason } from '../../reasons.ts';
import type { Relation } from '../../schema/relations.ts';
import { shapeOf } from '../../schema/shape.ts';
import { tableCommand } from '../../shell-word.ts';
import type { Facts, TableFacts, TableFailure } from '../facts/facts.ts';
import type { RunContext } from '../context/run-context.ts';
import { AS_A_WHOLE, chooseChunks, unfitForChunks, type ChunkChoice } from './chunk-choice.ts';
import { ROW_VERSION } from '../../schema/metadata-columns.ts';
import { BY_COPY, chooseLoader, lacksSize, type LoaderChoice } from './loader-choice.ts';
import { isKeyedPlan, type DraftPlan, type LoadDraft, type Plan, type PlanRequest } from './plan.ts';
import { planTable } from './plan-table.ts';

type PlanSources = Pick<RunContext, 'tools' | 'source'>;

export const planCompletely = (
  context: PlanSources,
  facts: TableFacts,
  request: PlanRequest,
): Promise<Plan> => completePlan(context, facts, planTable(facts, request));

export async function completePlan(context: PlanSources, facts: TableFacts, draft: DraftPlan): Promise<Plan> {
  const [plan] = await completePlans(context, [{ facts, draft }]);
  if (!plan) throw new Error('a plan was not completed');
  return plan;
}

interface Drafted {
  readonly facts: TableFacts;
  readonly draft: DraftPlan;
}

/** Measures all tables that were never analyzed in one query: the catalog does not know their size. */
async function completePlans(context: PlanSources, drafts: readonly Drafted[]): Promise<Plan[]> {
  const oids = drafts.flatMap(({ facts, draft }) => (needsSize(facts, draft) ? [draft.source.oid] : []));
  const sizes =
    oids.length === 0 ? undefined : await context.source.withReading((client) => measureTables(client, oids));
  const plans: Plan[] = [];
  for (const { facts, draft } of drafts)
    plans.push(draft.kind === 'load' ? await completeLoad(context, facts, measured(draft, sizes)) : draft);
  return plans;
}

const needsSize = (facts: TableFacts, draft: DraftPlan): draft is LoadDraft =>
  draft.kind === 'load' &&
  draft.adoption !== 'compare' &&
  lacksSize(draft.source) &&
  chooseLoader(situationOf(facts, draft.source)).cause?.code === 'small-table';

const measured = (draft: LoadDraft, sizes: ReadonlyMap<string, number> | undefined): LoadDraft => {
  const bytes = sizes?.get(draft.source.oid);
  return bytes === undefined ? draft : { ...draft, source: { ...draft.source, bytes } };
};

/**
 * Reads the versions of pg_dump and pg_restore only if a load needs them: that takes longer than a sync of no changes.
 * Reads the pages of a table only for a load in chunks: that waits for a session with an exclusive lock on the table.
 */
async function completeLoad(context: PlanSources, facts: TableFacts, draft: LoadDraft): Promise<Plan> {
  if (draft.adoption === 'compare') return { ...draft, loader: BY_COPY, chunking: AS_A_WHOLE };
  const situation = situationOf(facts, draft.source);
  const quick = chooseLoader(situation);
  const loader =
    quick.loader === 'pg_dump' ? chooseLoader({ ...situation, tools: await context.tools() }) : quick;
  const { chunking, reasons, earlier } = await findChunks(context, facts, draft);
  return {
    ...draft,
    ...(earlier && { source: earlier.source, shape: shapeOf(earlier.source), laterColumns: earlier.later }),
    loader,
    chunking,
    reasons: [...draft.reasons, ...copyReason(loader), ...reasons],
  };
}

const copyReason = ({ isAgainstWish, cause }: LoaderChoice): Reason[] =>
  isAgainstWish && cause ? [{ code: 'copy-instead', cause }] : [];

const situationOf = (
  { settings, servers, sourceColumns, sourcePassword, sourceParameters }: TableFacts,
  source: Relation,
) => ({
  wanted: settings.initialLoad,
  source,
  selection: settings.selection,
  hasRowVersions: sourceColumns?.includes(ROW_VERSION) === true,
  server: servers.source,
  tools: undefined,
  password: sourcePassword,
  parameters: sourceParameters,
});

async function findChunks(context: PlanSources, facts: TableFacts, draft: LoadDraft): Promise<ChunkChoice> {
  const { chunk: size } = facts.settings;
  if (!size || !isKeyedPlan(draft) || draft.adoption) return { chunking: AS_A_WHOLE, reasons: [] };
  const cause = unfitForChunks(draft.source);
  if (cause) return { chunking: { kind: 'whole', cause }, reasons: [] };
  const heap = await context.source.withReading((client) => describeHeap(client, draft.source.oid));
  return chooseChunks(facts, draft.source, { heap, size, isNew: draft.way === 'create' });
}

/** Before the sync or after it. The reasons of a load that starts again already say so. */
export function discardedLoad(
  { pendingLoad, settings: { name } }: TableFacts,
  plan: Plan,
  isDone: boolean,
): string[] {
  if (!pendingLoad || (plan.kind !== 'load' && plan.kind !== 'incremental')) return [];
  if (plan.kind === 'load' && plan.chunking.kind === 'chunks') return [];
  if (plan.reasons.some(({ code }) => code === 'load-restarted')) return [];
  const { done, header } = pendingLoad;
  const [discards, are] = isDone ? (['discarded', 'were'] as const) : (['discards', 'are'] as const);
  const chunks = header ? ` (${done.length} of ${header.starts.length} chunks ${are} done)` : '';
  if (plan.kind === 'load')
    return [
      `this sync ${discards} an interrupted load in chunks${chunks}, because it loads the table as a whole`,
    ];
  const command = tableCommand('sync', name, '--full-refresh');
  const way = isDone
    ? `; to load the table from the start, run "${command}"`
    : `; to continue it instead, run "${command}"`;
  return [`this sync ${discards} an interrupted full refresh${chunks}${way}`];
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
  const plans = await inBatches(facts.tables, (batch) =>
    completePlans(
      context,
      batch.map((table) => ({ facts: table, draft: planTable(table, request) })),
    ),
  );
  const planned: TableWithPlan[] = [];
  const failures = [...facts.failures];
  for (const [index, table] of facts.tables.entries()) {
    const result = plans[index];
    if (result?.kind === 'done') planned.push({ table, plan: result.value });
    if (result?.kind === 'failed') failures.push({ settings: table.settings, error: result.error });
  }
  return { planned, failures };
}
