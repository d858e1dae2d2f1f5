/** One run: a pass over the tables of a pipeline. */
import type { TableSettings } from '../../config/settings.ts';
import { asIncrepError, exitCodeOfTables, type IncrepError } from '../../errors.ts';
import { NO_ROWS, type RunSummary, type TableOutcome } from '../../events.ts';
import { ensureWritable } from '../../state/state-files.ts';
import {
  gatherFacts,
  inOrder,
  isUnknown,
  serversOf,
  type Facts,
  type TableFacts,
  type TableFailure,
} from '../facts/facts.ts';
import { BATCH_SIZE, batchesOf, GROUP_SIZE } from '../../postgres/batches.ts';
import { openWorkers } from '../load/chunks/workers.ts';
import { combined, connections, parentsFirst, waitsForOthers } from './foreign-keys.ts';
import { syncInOneSnapshot } from './one-snapshot.ts';
import type { DraftPlan } from '../plan/plan.ts';
import { planTable } from '../plan/plan-table.ts';
import { prepareDestination } from './prepare-destination.ts';
import { ensureDifferentDatabases } from '../facts/same-database.ts';
import { gatherAgain, syncTable, syncUnknown, type TableRequest } from './sync-table.ts';
import { nextFacts, type DatedFacts } from './next-facts.ts';
import { outlineOf, type TableOutline } from './table-outline.ts';
import { inTableOrder } from './table-order.ts';
import { isSameTable } from '../write/violations.ts';
import type { RunContext } from '../context/run-context.ts';
import { writeRefusal } from '../facts/writable-destination.ts';
import { deferred, failureOf, withNextCommand } from './table-outcome.ts';
import { findQuiet } from './quiet-sweep.ts';
import { persistently } from './retries.ts';

export interface RunRequest extends TableRequest {
  readonly tables: readonly TableSettings[];
  readonly isFailFast: boolean;
  /** Set if there are no tables: why. */
  readonly noTables?: IncrepError | undefined;
  /** Called before each table. If it returns false, the run ends. */
  readonly mayGoOn?: () => boolean;
}

export async function run(context: RunContext, request: RunRequest): Promise<RunSummary> {
  const startedAt = new Date();
  const { runId } = context;
  const { pipeline } = context.settings;
  await context.emit({
    type: 'run-started',
    runId,
    pipeline,
    startedAt,
    tables: request.tables.map(({ name }) => name),
    repeatCommand: request.repeatCommand,
  });
  const outcomes: TableOutcome[] = [];
  let error: IncrepError | undefined;
  try {
    await syncTables(context, request, outcomes);
  } catch (thrown) {
    error = withNextCommand(asIncrepError(thrown), request.repeatCommand);
  }
  const summary = summarize(context, request, { startedAt, tables: outcomes, error });
  for (const message of runWarnings(context, request, outcomes))
    await context.emit({ type: 'warning', table: undefined, message });
  await context.emit({ type: 'run-finished', summary });
  return summary;
}

async function syncTables(context: RunContext, request: RunRequest, outcomes: TableOutcome[]): Promise<void> {
  await ensureWritable(context.settings.stateDirectory);
  if (request.noTables) throw request.noTables;
  const { known, failures, latest, quiet } = await prepare(context, request);
  const shown = await inRunOrder(context, request.tables, { known, failures, latest });
  const tables = shown.filter(isOutline);
  // Several destinations must visit the tables in the same order, because they read each table together.
  const ordered = context.fanOut
    ? shown
    : [...parentsFirst(tables), ...shown.filter((table) => !isOutline(table))];
  const active = ordered.filter(({ settings }) => !quiet.has(settings.name));
  const pass: RunPass = {
    context,
    request,
    tables,
    connected: connections(tables),
    factsFor: nextFacts(active.filter(isOutline), latest),
    held: new Map(),
  };
  const finish = async (outcome: TableOutcome) => {
    outcomes.push(outcome);
    await context.emit({ type: 'table-finished', outcome });
  };
  try {
    for (const table of tables) {
      const outcome = quiet.get(table.settings.name);
      if (!outcome) continue;
      context.fanOut?.passBy(table.settings.name);
      // Another table may need rows that are committed from now on.
      if (pass.connected.has(table)) pass.held.set(table, outcome);
      else await finish(outcome);
    }
    for (const table of active) {
      if (request.mayGoOn?.() === false) return;
      const outcome = isOutline(table)
        ? await syncOnce(pass, table, context)
        : await withFanOut(context, table.settings.name, (together) => syncUnknown(together, table, request));
      if (isOutline(table) && (waitsForOthers(outcome) || pass.connected.has(table)))
        pass.held.set(table, outcome);
      else await finish(outcome);
      context.signal?.throwIfAborted();
      if (request.isFailFast && outcome.status === 'failed') return;
      // The commit of each other table would wait for the same standby.
      if (outcome.error?.code === 'COMMIT_UNCONFIRMED') return;
    }
    await syncAgain(pass);
  } finally {
    for (const outcome of pass.held.values()) await finish(outcome);
    const places = new Map(shown.map(({ settings: { name } }, place) => [name, place]));
    const placeOf = ({ name }: TableOutcome) => places.get(name) ?? 0;
    outcomes.sort((one, other) => placeOf(one) - placeOf(other));
  }
}

interface Prepared {
  readonly known: readonly TableOutline[];
  readonly failures: readonly TableFailure[];
  /** The last batch. */
  readonly latest: DatedFacts | undefined;
  /** The results of tables without changes, by name. */
  readonly quiet: ReadonlyMap<string, TableOutcome>;
}

/** Tables without facts keep their place in the configuration, or come last if a time limit decides the order. */
async function inRunOrder(
  context: RunContext,
  tables: readonly TableSettings[],
  { known, failures, latest }: Omit<Prepared, 'quiet'>,
): Promise<readonly (TableOutline | TableFailure)[]> {
  const all = [...(await inTableOrder(context, known, latest?.facts.schemas ?? new Map())), ...failures];
  return failures.length === 0 || context.timeLimit.isLimited ? all : inOrder(all, tables);
}

const isOutline = (table: TableOutline | TableFailure): table is TableOutline => !('error' in table);

interface RunPass {
  readonly context: RunContext;
  readonly request: RunRequest;
  readonly tables: readonly TableOutline[];
  readonly connected: ReadonlyMap<TableOutline, ReadonlySet<TableOutline>>;
  readonly factsFor: ReturnType<typeof nextFacts>;
  /** Tables that this run may sync again, with their results so far. */
  readonly held: Map<TableOutline, TableOutcome>;
}

async function syncOnce(pass: RunPass, table: TableOutline, context: RunContext): Promise<TableOutcome> {
  const { request, held, factsFor } = pass;
  const before = held.get(table);
  const outcome = await withFanOut(context, table.settings.name, async (together) => {
    if (hasNoTime(together, table)) return deferred(together, table);
    const facts = await (before ? gatherAgain(together, table.settings) : factsFor(together, table));
    return isUnknown(facts)
      ? syncUnknown(together, facts, request)
      : syncTable({ ...together, syncReferenced: referencedSync(pass, [table]) }, facts, request);
  });
  return before ? combined(before, outcome) : outcome;
}

/** Syncs again the tables that a foreign key held up, as long as that helps at least one of them. */
async function syncAgain(pass: RunPass): Promise<void> {
  const { context, request, held } = pass;
  const waiting = () => [...held.keys()].filter((table) => waitsForOthers(held.get(table)));
  for (let hasProgress = true; hasProgress;) {
    hasProgress = false;
    for (const table of waiting()) {
      if (request.mayGoOn?.() === false || hasNoTime(context, table)) return;
      const outcome = await syncOnce(pass, table, withoutOthers(context));
      held.set(table, outcome);
      hasProgress ||= !waitsForOthers(outcome);
      context.signal?.throwIfAborted();
    }
  }
  const stuck = waiting();
  const connected = [...held.keys()].filter((table) =>
    stuck.some((other) => table === other || pass.connected.get(table)?.has(other)),
  );
  if (connected.length < 2 || connected.some((table) => hasNoTime(context, table))) return;
  await syncInOneSnapshot(withoutOthers(context), parentsFirst(connected), request, (table, change) => {
    const before = held.get(table);
    if (before) held.set(table, combined(before, change({ ...before, ...NO_ROWS })));
  });
}

/** Syncs a referenced table over separate connections, while the referring table keeps its transaction open. */
const referencedSync =
  (pass: RunPass, chain: readonly TableOutline[]): NonNullable<RunContext['syncReferenced']> =>
  async (destination) => {
    const table = pass.tables.find(({ destinationName }) => isSameTable(destinationName, destination));
    if (!table || !table.settings.isEnabled || chain.includes(table)) return false;
    await using workers = openWorkers(withoutOthers(pass.context), 1);
    const [aside] = workers.contexts;
    if (!aside) throw new Error('there are no connections for a referenced table');
    const context: RunContext = {
      ...aside,
      emit: async (event) => {
        if (event.type === 'warning' || event.type === 'retrying') await pass.context.emit(event);
      },
      syncReferenced: referencedSync(pass, [...chain, table]),
    };
    const now = await gatherAgain(context, table.settings);
    if (isUnknown(now)) return false;
    const request = { ...pass.request, isFullRefresh: false };
    // A change of shape also needs exclusive locks on the referring tables, and the waiting transaction has locked one.
    if (takesShape(planTable(now, request))) return false;
    const outcome = await syncTable(context, now, request);
    const before = pass.held.get(table);
    pass.held.set(table, before ? combined(before, outcome) : outcome);
    return outcome.status !== 'skipped';
  };

const takesShape = (plan: DraftPlan): boolean =>
  plan.kind === 'load' ? plan.way === 'swap' : plan.kind === 'incremental' && plan.evolution !== undefined;

function withoutOthers(context: RunContext): RunContext {
  const { fanOut: _, group: __, ...rest } = context;
  return rest;
}

/** A disabled table is skipped in any case, so it is not deferred. */
const hasNoTime = ({ timeLimit }: RunContext, { settings }: TableOutline): boolean =>
  timeLimit.isOver && settings.isEnabled;

async function prepare(context: RunContext, request: RunRequest): Promise<Prepared> {
  await persistently(context, undefined, () => ensureUsable(context));
  const [known, failures]: [TableOutline[], TableFailure[]] = [[], []];
  let latest: DatedFacts | undefined;
  const quiet = new Map<string, TableOutcome>();
  await using _ = endingPipelines(context);
  for (const batch of batchesOf(request.tables, GROUP_SIZE)) {
    const at = performance.now();
    const facts = await persistently(context, undefined, async () => {
      const gathered = await gatherFacts(context, batch);
      return withoutUnprepared(gathered, await prepareDestination(context, gathered, request));
    });
    known.push(...facts.tables.map(outlineOf));
    failures.push(...facts.failures);
    latest = { facts: { ...facts, tables: facts.tables.slice(-BATCH_SIZE) }, at };
    const found = await persistently(context, undefined, () => findQuiet(context, facts.tables, request));
    for (const [name, outcome] of found) quiet.set(name, outcome);
  }
  return { known, failures, latest, quiet };
}

/** The rest of the run needs one connection of each side. */
const endingPipelines = ({ source, destination }: RunContext): AsyncDisposable => ({
  [Symbol.asyncDispose]: async () => {
    await source.endPipeline();
    await destination.endPipeline();
  },
});

/** @throws IncrepError if the destination is the source, or does not accept writes */
async function ensureUsable(context: RunContext): Promise<void> {
  const servers = await serversOf(context);
  ensureDifferentDatabases(context.settings, servers);
  context.destinations.add(context.settings, servers.destination);
  const refusal = writeRefusal(context, servers);
  if (refusal) throw refusal;
}

/** If increp cannot create its tables in one schema of the destination, only the tables of that schema fail. */
function withoutUnprepared(facts: Facts, refusals: ReadonlyMap<string, IncrepError>): Facts {
  const refusalOf = ({ destinationName: { schema } }: TableFacts) => refusals.get(schema);
  return {
    ...facts,
    tables: facts.tables.filter((table) => !refusalOf(table)),
    failures: [
      ...facts.failures,
      ...facts.tables.flatMap((table) => {
        const error = refusalOf(table);
        return error ? [{ settings: table.settings, error }] : [];
      }),
    ],
  };
}

interface RunResult {
  readonly startedAt: Date;
  readonly tables: readonly TableOutcome[];
  readonly error: IncrepError | undefined;
}

function summarize(
  context: RunContext,
  request: RunRequest,
  { startedAt, tables, error }: RunResult,
): RunSummary {
  const failures = tables.filter(({ status }) => status === 'failed').length;
  const isWhollyFailed =
    failures > 0 && failures === tables.filter(({ status }) => status !== 'skipped').length;
  return {
    runId: context.runId,
    pipeline: context.settings.pipeline,
    status: error || isWhollyFailed ? 'failed' : failures > 0 ? 'partial' : 'ok',
    startedAt,
    finishedAt: new Date(),
    tables,
    error: error && failureOf(error),
    warnings: [...context.settings.warnings, ...runWarnings(context, request, tables)],
  };
}

const runWarnings = (
  context: RunContext,
  request: RunRequest,
  outcomes: readonly TableOutcome[],
): string[] => [...timeWarning(context, outcomes), ...deletesWarning(request)];

const deletesWarning = ({ areDeletesForced, tables }: RunRequest): string[] =>
  areDeletesForced && tables.length > 0 && tables.every(({ deletes }) => deletes === 'ignore')
    ? ['--deletes has no effect: "deletes" is "ignore" for every table of this run']
    : [];

/** A time limit that is too short for any table would defer all of them forever, and no run would fail. */
const timeWarning = ({ timeLimit }: RunContext, tables: readonly TableOutcome[]): string[] =>
  tables.some(({ isDeferred }) => isDeferred) &&
  tables.every(({ status, action }) => status === 'skipped' && action === 'skipped')
    ? [`${timeLimit.words(' before any table started')}; set a longer --max-duration`]
    : [];

/** The exit code of a summary: 3 if some tables failed, the code of the failures if all have the same one, else 1. */
export function exitCodeOf({ error, status, tables, destinations }: RunSummary): number {
  if (error) return error.exitCode;
  const failed = tables.flatMap((table) => (table.error ? [table.error.exitCode] : []));
  const alike = exitCodeOfTables(failed, failed.length);
  // If one destination was synced, the run as a whole was not blocked by another run.
  const isElsewhere = (destinations ?? []).some(({ status: of }) => of === 'ok');
  const isBlocked = alike === 75 && !isElsewhere;
  return failed.length > 0 && status === 'partial' && !isBlocked ? 3 : alike;
}

/** Syncs one table, together with the other destinations that have reached it. */
async function withFanOut<T>(
  context: RunContext,
  table: string,
  sync: (context: RunContext) => Promise<T>,
): Promise<T> {
  const group = await context.fanOut?.meetAt(table);
  if (!group) return sync(context);
  try {
    return await sync({ ...context, group });
  } finally {
    group.leave();
  }
}
