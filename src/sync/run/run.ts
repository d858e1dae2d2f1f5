/** One run: a pass over the tables of a pipeline. */
import type { TableSettings } from '../../config/settings.ts';
import { stalledReplay } from '../facts/standby-replay.ts';
import { asIncrepError, exitCodeOfTables, type IncrepError } from '../../errors.ts';
import type { Emit, RunSummary, TableOutcome, WaitingRows } from '../../events.ts';
import { ensureWritable } from '../../state/state-files.ts';
import { inOrder, type TableFailure } from '../facts/facts.ts';
import { openWorkers } from '../load/chunks/workers.ts';
import { copiesObjects } from '../objects/copied-table.ts';
import { copyObjectsOfAll } from './copy-objects.ts';
import { connections, parentsFirst, parentsIn, waitsForOthers } from './foreign-keys.ts';
import { isOutline, syncAgain, syncNext, syncWithoutForeignKeys, type RunPass } from './run-pass.ts';
import { hasFullRefresh, type RunRequest } from './run-request.ts';
import { syncSeveral } from './several-jobs.ts';
import { prepareTables, type Prepared } from './prepare-tables.ts';
import { nextFacts } from './next-facts.ts';
import type { TableOutline } from './table-outline.ts';
import { inTableOrder } from './table-order.ts';
import type { RunContext } from '../context/run-context.ts';
import { SET_CLOCK, thisClockError, wrongClockText } from '../context/this-clock.ts';
import { withLeftTables } from './left-tables.ts';
import { failureOf, withNextCommand } from './table-outcome.ts';
import { carryFormerFiles } from '../facts/former-directories.ts';

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
    hasFullRefresh: hasFullRefresh(request),
    ...(request.jobs > 1 && { jobs: request.jobs }),
  });
  const outcomes: TableOutcome[] = [];
  const waiting: WaitingRows[] = [];
  const warnings: string[] = [];
  let error: IncrepError | undefined;
  try {
    await syncTables(context, request, { outcomes, waiting, warn: (message) => void warnings.push(message) });
  } catch (thrown) {
    error = withNextCommand(asIncrepError(thrown), request.repeatCommand);
  }
  warnings.push(...runWarnings(context, request, outcomes));
  const summary = {
    ...summarize(context, { startedAt, tables: outcomes, error, warnings }),
    ...(request.repeatCommand !== undefined && { repeatCommand: request.repeatCommand }),
    ...(request.look && { waiting }),
  };
  for (const message of warnings) await context.emit({ type: 'warning', table: undefined, message });
  return finishRun(summary, request, context.emit);
}

/** The listeners get the warnings of `beforeEnd`, too. */
export async function finishRun(ended: RunSummary, request: RunRequest, emit: Emit): Promise<RunSummary> {
  const found = withLeftTables(ended, request);
  const more = (await request.beforeEnd?.(found)) ?? [];
  for (const message of more) await emit({ type: 'warning', table: undefined, message });
  const summary = { ...found, warnings: [...found.warnings, ...more] };
  await emit({ type: 'run-finished', summary });
  return summary;
}

interface RunReport {
  readonly outcomes: TableOutcome[];
  readonly waiting: WaitingRows[];
  readonly warn: (message: string) => void;
}

async function syncTables(context: RunContext, request: RunRequest, report: RunReport): Promise<void> {
  const { outcomes, warn } = report;
  await ensureWritable(context.settings.stateDirectory);
  if (request.noTables) throw request.noTables;
  await carryFormerFiles(context);
  const { jobs } = request;
  await using workers = openWorkers(context, Math.min(jobs, request.tables.length) - 1);
  const { known, failures, latest, quiet, waiting } = await prepareTables(context, {
    ...request,
    // The connections open while increp looks for more tables with work.
    foundWork: (tables) => workers.connect(tables - 1),
  });
  report.waiting.push(...waiting);
  const replay = await stalledReplay(context.source);
  if (replay) warn(`${replay.what}. ${replay.next}`);
  const shown = await inRunOrder(context, request.tables, { known, failures, latest });
  const tables = shown.filter(isOutline);
  const active = inSyncOrder(context, shown, jobs).filter(({ settings }) => !quiet.has(settings.name));
  const pass: RunPass = {
    context,
    request,
    tables,
    connected: connections(tables),
    factsFor: nextFacts(active.filter(isOutline), latest),
    held: new Map(),
    active: new Map(),
    warn,
    referencedTurn: Promise.resolve(),
  };
  // These may be synced again, or get their indexes, at the end of the run.
  const isHeld = (table: TableOutline) => pass.connected.has(table) || copiesObjects(table.settings);
  let reported: Promise<unknown> = Promise.resolve();
  // The listeners write files and rows, so they get the results of several jobs one after the other.
  const finish = (outcome: TableOutcome): Promise<unknown> => {
    outcomes.push(outcome);
    return (reported = reported.then(() => context.emit({ type: 'table-finished', outcome })));
  };
  /** Returns false if the run must start no other table. */
  const settle = async (table: TableOutline | TableFailure, outcome: TableOutcome): Promise<boolean> => {
    if (isOutline(table) && (waitsForOthers(outcome) || isHeld(table))) {
      pass.held.set(table, outcome);
      if (jobs > 1) await context.emit({ type: 'table-held', table: outcome.name });
    } else await finish(outcome);
    context.signal?.throwIfAborted();
    // The commit of each other table would wait for the same standby.
    const isUnconfirmed = outcome.error?.code === 'COMMIT_UNCONFIRMED';
    return !isUnconfirmed && !(request.isFailFast && outcome.status === 'failed');
  };
  try {
    for (const table of tables) {
      const outcome = quiet.get(table.settings.name);
      if (!outcome) continue;
      context.fanOut?.passBy(table.settings.name);
      // Another table may need rows that are committed from now on.
      if (isHeld(table)) pass.held.set(table, outcome);
      else await finish(outcome);
    }
    if (request.look) return;
    const isComplete = await (jobs > 1 ? syncSeveral : syncOneByOne)(pass, active, settle, workers);
    if (!isComplete) return;
    await syncAgain(pass);
    await syncWithoutForeignKeys(pass);
    await copyObjectsOfAll(context, pass.held);
  } finally {
    for (const outcome of pass.held.values()) await finish(outcome);
    const places = new Map(shown.map(({ settings: { name } }, place) => [name, place]));
    const placeOf = ({ name }: TableOutcome) => places.get(name) ?? 0;
    outcomes.sort((one, other) => placeOf(one) - placeOf(other));
  }
}

/**
 * Referenced tables first. Several destinations must visit the tables in the same order, because they read each table
 * together. All of them have the foreign keys of the source in common.
 */
function inSyncOrder(
  { fanOut }: RunContext,
  shown: readonly (TableOutline | TableFailure)[],
  jobs: number,
): readonly (TableOutline | TableFailure)[] {
  const sides = [...(jobs > 1 ? (['source'] as const) : []), ...(fanOut ? [] : (['destination'] as const))];
  if (sides.length === 0) return shown;
  const tables = shown.filter(isOutline);
  return [...parentsFirst(tables, parentsIn(tables, sides)), ...shown.filter((table) => !isOutline(table))];
}

async function syncOneByOne(
  pass: RunPass,
  tables: readonly (TableOutline | TableFailure)[],
  settle: (table: TableOutline | TableFailure, outcome: TableOutcome) => Promise<boolean>,
): Promise<boolean> {
  const { context, request } = pass;
  for (const table of tables) {
    if (request.mayGoOn?.() === false) return false;
    if (!(await settle(table, await syncNext(pass, table, context)))) return false;
  }
  return true;
}

/** Tables without facts keep their place in the configuration, or come last if a time limit decides the order. */
async function inRunOrder(
  context: RunContext,
  tables: readonly TableSettings[],
  { known, failures, latest }: Pick<Prepared, 'known' | 'failures' | 'latest'>,
): Promise<readonly (TableOutline | TableFailure)[]> {
  const all = [...(await inTableOrder(context, known, latest?.facts.schemas ?? new Map())), ...failures];
  return failures.length === 0 || context.timeLimit.isLimited ? all : inOrder(all, tables);
}

interface RunResult {
  readonly startedAt: Date;
  readonly tables: readonly TableOutcome[];
  readonly error: IncrepError | undefined;
  readonly warnings: readonly string[];
}

function summarize(context: RunContext, { startedAt, tables, error, warnings }: RunResult): RunSummary {
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
    warnings: [...context.settings.warnings, ...warnings],
  };
}

const runWarnings = (
  context: RunContext,
  request: RunRequest,
  outcomes: readonly TableOutcome[],
): string[] => [...timeWarning(context, outcomes), ...deletesWarning(request), ...clockWarning(context)];

const clockWarning = (context: RunContext): string[] => {
  const text = wrongClockText(thisClockError(context));
  return text === undefined ? [] : [`${text}. ${SET_CLOCK}`];
};

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
