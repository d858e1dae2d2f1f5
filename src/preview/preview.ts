/** Plans with their effects: how much there is to read, and what would prevent the sync. */
import { tableKey } from '../schema/names.ts';
import { rowsFrom } from '../schema/selection.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import { inOrder, type Facts, type TableFacts, type TableFailure } from '../sync/facts/facts.ts';
import { gatherDependents } from '../sync/facts/gather-dependents.ts';
import { tableNames } from '../sync/facts/table-names.ts';
import { listInFlight } from '../sync/fence/fence.ts';
import { logFault } from '../sync/incremental/remove-logged.ts';
import { previewConversions } from '../sync/load/preview-conversions.ts';
import { previewRemovedRows } from '../sync/load/preview-removed-rows.ts';
import { failuresWithHolders } from '../sync/lock/lock-holders.ts';
import { runsAt } from '../sync/lock/running-runs.ts';
import { previewCopies } from '../sync/objects/preview-copies.ts';
import { planAll } from '../sync/plan/complete-plan.ts';
import { refuse, type Plan, type PlanRequest } from '../sync/plan/plan.ts';
import { beginQuietSweep } from '../sync/run/quiet-sweep.ts';
import { estimateReading } from './estimate.ts';
import { hidesValues } from '../sync/plan/stale-views.ts';
import { fencesOf, isReshaped, previewOf, type OpenTransactions, type Preview } from './table-preview.ts';

/** If a server refuses to answer for one table, that table has the error. The other tables are not affected. */
export async function previewTables(
  context: Pick<RunContext, 'settings' | 'source' | 'destination' | 'tools' | 'timing'>,
  facts: Facts,
  request: PlanRequest & { readonly isForced: boolean },
): Promise<Preview[]> {
  const sweep = await beginQuietSweep(context, facts.tables, request, { isPreview: true });
  const all = await planAll(context, facts, request);
  const { failures } = all;
  const verdicts = await sweep();
  const planned = await withLogFaults(context, all.planned, (table) => verdicts.has(table));
  const estimates = await estimateReading(
    context.source,
    planned.flatMap((each) => {
      const verdict = verdicts.get(each.table)?.verdict;
      return verdict?.kind === 'quiet' ? [] : [{ ...each, asksNullKeys: !verdict?.nullKeys }];
    }),
  );
  const watched = planned.flatMap(({ table, plan }) =>
    isReshaped(plan) || hidesValues(table, plan) ? [table] : [],
  );
  const dependents = await gatherDependents(context, watched);
  const active = await activeRuns(
    context,
    planned.flatMap(({ table }) => (verdicts.get(table)?.verdict.kind === 'quiet' ? [] : [table])),
  );
  const gone = await previewRemovedRows(
    context,
    planned.map(({ table, plan }) => [table, plan] as const),
  );
  const conversions = await previewConversions(
    context,
    planned.map(({ table, plan }) => [table, plan] as const),
  );
  const objects = await previewCopies(
    context,
    planned.flatMap(({ table, plan }) => (plan.kind === 'skip' ? [] : [table])),
  );
  const open = await openTransactions(context.source, facts.tables);
  const unread = planned.flatMap(({ table }) => {
    const estimate = estimates.get(table);
    return estimate?.kind === 'failed' ? [{ settings: table.settings, error: estimate.error }] : [];
  });
  const failed = await failuresWithHolders(context, [...failures, ...unread]);
  const answered = planned.flatMap(({ table, plan }) => {
    const estimate = estimates.get(table);
    if (estimate?.kind === 'failed') return [];
    const preview = previewOf(table, plan, {
      estimate: estimate?.value,
      verdict: verdicts.get(table)?.verdict,
      dependents: dependents.get(table) ?? [],
      gone: gone.get(table),
      conversion: conversions.get(table),
      objects: objects.get(table),
      activeRun: active.get(tableKey(table.stateName)),
      open,
      isForced: request.isForced,
    });
    return [{ settings: table.settings, preview }];
  });
  const unplanned = failed.map((failure) => ({
    settings: failure.settings,
    preview: failedPreview(context, failure),
  }));
  return inOrder([...answered, ...unplanned], context.settings.tables).map(({ preview }) => preview);
}

interface PlannedPreview {
  readonly table: TableFacts;
  readonly plan: Plan;
}

/** Refuses a sync that could not read its deletion log. The question whether a table is quiet reads the log, too. */
async function withLogFaults(
  context: Pick<RunContext, 'source' | 'timing'>,
  planned: readonly PlannedPreview[],
  isRead: (table: TableFacts) => boolean,
): Promise<readonly PlannedPreview[]> {
  const checked: PlannedPreview[] = [];
  for (const { table, plan } of planned) {
    const log = table.settings.deletionLog;
    const fault =
      log && plan.kind === 'incremental' && !isRead(table)
        ? await logFault({ context, facts: table, relation: plan.source, log })
        : undefined;
    checked.push({ table, plan: fault ? refuse(fault) : plan });
  }
  return checked;
}

const activeRuns = (
  { destination }: Pick<RunContext, 'destination'>,
  tables: readonly TableFacts[],
): Promise<ReadonlyMap<string, string>> =>
  tables.length === 0
    ? Promise.resolve(new Map())
    : destination.withReading((client) =>
        runsAt(
          client,
          tables.map(({ stateName }) => stateName),
        ),
      );

const openTransactions = async (
  source: RunContext['source'],
  tables: readonly TableFacts[],
): Promise<OpenTransactions> => ({
  fencedAt: new Date(),
  remaining: tables.some((table) => fencesOf(table).length > 0) ? await listInFlight(source) : [],
});

function failedPreview(context: Pick<RunContext, 'settings'>, { settings, error }: TableFailure): Preview {
  const { destinationName, recordName } = tableNames(context, settings);
  return {
    name: settings.name,
    action: 'not-planned',
    reason: error.message,
    reasons: [],
    pattern: settings.pattern,
    selects: undefined,
    rowsFrom: rowsFrom(settings.selection),
    copy: destinationName,
    recordName,
    typeChanges: [],
    evolution: undefined,
    rules: [],
    loader: undefined,
    loaderCause: undefined,
    estimated: undefined,
    readAgain: undefined,
    whole: undefined,
    resetAt: undefined,
    cursor: null,
    lookbackSeconds: undefined,
    high: null,
    hasWork: false,
    removesDeleted: false,
    deletes: undefined,
    deletionLog: settings.deletionLog,
    mayStage: false,
    dependents: [],
    obstruction: undefined,
    gone: undefined,
    isMarked: false,
    removedColumns: [],
    objects: undefined,
    warnings: [],
    error,
  };
}
