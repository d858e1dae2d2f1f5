/** One table in one run: plan, do, try again where that can help, and tell what happened. */
import { asIncrepError, reworded, type IncrepError } from '../../errors.ts';
import type { TableSettings } from '../../config/settings.ts';
import type { Failure, TableOutcome } from '../../events.ts';
import { backoffSeconds, sleep } from '../../retry.ts';
import { applyPlan, type Applied, type ApplyRequest } from './apply-plan.ts';
import { altered, isSameCopy } from '../write/destination-lock.ts';
import { oneGoWarning, stoppedReason } from '../load/chunks/progress.ts';
import { NotInPlace } from '../incremental/not-in-place.ts';
import { gatherFacts, type TableFacts, type TableFailure } from '../facts/facts.ts';
import { withHolders } from '../lock/lock-holders.ts';
import { planWithTools } from '../plan/plan-with-tools.ts';
import type { IncrementalPlan, LoadPlan, Plan, Request } from '../plan/plan.ts';
import { planTable } from '../plan/plan-table.ts';
import { RemovalFirst } from '../write/violations.ts';
import type { RunContext } from '../context/run-context.ts';
import { NO_ROWS } from '../write/transfer.ts';

/** Three tries more than the first: enough for a failover of seconds, and over before the next cron minute. */
const MAX_ATTEMPTS = 4;

export type TableRequest = Request & ApplyRequest;

/** The wall clock says when, and may be set meanwhile; the monotonic one (milliseconds) says how long. */
interface Start {
  readonly at: Date;
  readonly ticks: number;
}

export async function syncTable(
  context: RunContext,
  firstFacts: TableFacts,
  firstRequest: TableRequest,
): Promise<TableOutcome> {
  let request = firstRequest;
  const start: Start = { at: new Date(), ticks: performance.now() };
  let facts = firstFacts;
  let isAgain = false;
  for (let attempt = 1; ; attempt += 1) {
    let plan: Plan | undefined;
    try {
      plan = planTable(facts, request);
      plan = await planWithTools(context, facts, request);
      await announce(context, facts, plan);
      if (plan.kind === 'skip') return outcomeOf(facts, plan, start);
      if (plan.kind === 'refuse') throw plan.error;
      const applied = await applyPlan(
        context,
        facts,
        plan,
        isAgain
          ? { ...request, waitLockSeconds: Math.max(request.waitLockSeconds, context.timing.ownLockWait) }
          : request,
      );
      if ('stopped' in applied)
        return {
          ...outcomeOf(facts, plan, start),
          reason: stoppedReason(context.timeLimit, applied),
          isDeferred: true,
        };
      return await succeeded(context, facts, plan, applied, start);
    } catch (thrown) {
      const changed = otherWay(request, thrown);
      if (changed) {
        context.group?.leave();
        request = changed;
        const anew = await refreshed(context, facts);
        if ('error' in anew) return failed(facts, plan, anew.error, start);
        facts = anew;
        isAgain = true;
        attempt -= 1;
        continue;
      }
      const error = await withHolders(context, facts, await orAltered(context, facts, asIncrepError(thrown)));
      const delaySeconds = error.isTransient ? waitBeforeNext(context, attempt) : undefined;
      if (delaySeconds === undefined) return failed(facts, plan, givenUp(context, error, attempt), start);
      context.group?.leave();
      // Who answers there is asked anew.
      if (error.code === 'SERVER_CHANGED') context.source.discard();
      await pause(context, { table: facts.settings.name, attempt, delaySeconds }, error);
      isAgain = true;
      const kept = chunksKept(facts);
      const anew = await refreshed(context, facts);
      if ('error' in anew) return failed(facts, plan, anew.error, start);
      facts = anew;
      // What has come further is not given up: a load of many hours meets more faults than a few.
      if (chunksKept(facts) > kept) attempt = 0;
    }
  }
}

/** What to ask for instead, if the plan turned out to be the wrong way; each way is given up once. */
function otherWay(request: TableRequest, thrown: unknown): TableRequest | undefined {
  if (thrown instanceof NotInPlace && request.notInPlace === undefined)
    return { ...request, notInPlace: thrown.why };
  if (thrown instanceof RemovalFirst && request.removesFirst !== true)
    return { ...request, areDeletesForced: true, removesFirst: true };
  return undefined;
}

/** What came of a plan for a table that somebody has changed meanwhile says nothing about the table. */
async function orAltered(context: RunContext, facts: TableFacts, error: IncrepError): Promise<IncrepError> {
  if (error.isTransient || context.signal?.aborted === true) return error;
  const now = await refreshed(context, facts);
  if ('error' in now) return error;
  return isSameCopy(facts.destination, now.destination) ? error : altered(facts, error);
}

async function announce(
  context: RunContext,
  { settings, source, saved }: TableFacts,
  plan: Plan,
): Promise<void> {
  const table = settings.name;
  await context.emit({
    type: 'table-planned',
    table,
    action: plan.action,
    reason: plan.reason,
    estimatedRows: source?.estimatedRows,
  });
  for (const message of [...('warnings' in saved ? saved.warnings : []), ...loaderWarning(plan)]) {
    await context.emit({ type: 'warning', table, message });
  }
}

const chunksKept = ({ pendingLoad }: TableFacts): number => pendingLoad?.done.length ?? 0;

/** Someone who asked for pg_dump, or for chunks, has to learn that it was not done. */
export const loaderWarning = (plan: Plan): string[] =>
  plan.kind !== 'load'
    ? []
    : [
        ...(plan.loader.isAgainstWish ? [`loaded by COPY instead of pg_dump: ${plan.loader.why ?? ''}`] : []),
        ...(plan.oneGoWhy === undefined ? [] : [oneGoWarning(plan.oneGoWhy)]),
      ];

/** Seconds; undefined where it may not be tried again, because it was often enough, or there is no time left to wait. */
export function waitBeforeNext(context: RunContext, attempt: number): number | undefined {
  if (context.signal?.aborted === true || attempt === MAX_ATTEMPTS) return undefined;
  const seconds = backoffSeconds(attempt, context.timing.retryDelay);
  return seconds < context.timeLimit.remainingSeconds ? seconds : undefined;
}

/** What was tried again and again says so: else nobody would know that once more is no remedy. */
export function givenUp(
  { timeLimit, signal }: RunContext,
  error: IncrepError,
  attempts: number,
): IncrepError {
  if (!error.isTransient || signal?.aborted === true) return error;
  const why =
    attempts === MAX_ATTEMPTS
      ? `tried ${MAX_ATTEMPTS} times`
      : timeLimit.words(' before it could be tried again');
  return reworded(error, { what: `${error.message}; ${why}`, next: error.next });
}

interface Pause {
  /** Undefined before there is one to speak of. */
  readonly table: string | undefined;
  readonly attempt: number;
  readonly delaySeconds: number;
}

export async function pause(context: RunContext, what: Pause, error: IncrepError): Promise<void> {
  await context.emit({ type: 'retrying', ...what, error: failureOf(error) });
  await sleep(what.delaySeconds, context.signal);
}

/** Of a table that nothing has been done to, because there was no time left. */
export const deferred = (context: RunContext, facts: TableFacts): TableOutcome => ({
  ...outcomeOf(
    facts,
    { action: 'skipped', reason: context.timeLimit.words(' before it started') },
    { at: new Date(), ticks: performance.now() },
  ),
  isDeferred: true,
});

/** By facts of now. */
export async function syncAnew(
  context: RunContext,
  facts: TableFacts,
  request: TableRequest,
): Promise<TableOutcome> {
  const start: Start = { at: new Date(), ticks: performance.now() };
  const anew = await refreshed(context, facts);
  return 'error' in anew ? failed(facts, undefined, anew.error, start) : syncTable(context, anew, request);
}

const DISABLED = {
  status: 'skipped',
  reason: 'it is disabled in tables-config.json',
  error: undefined,
} as const;

/** Of a table whose facts could not be had when the run began. */
export async function syncUnknown(
  context: RunContext,
  { settings, error }: TableFailure,
  request: TableRequest,
): Promise<TableOutcome> {
  const start: Start = { at: new Date(), ticks: performance.now() };
  if (!settings.isEnabled) return { ...failedUnknown({ settings, error }, start), ...DISABLED };
  const now = error.isTransient ? await lookAgain(context, settings) : { settings, error };
  return 'error' in now ? failedUnknown(now, start) : syncTable(context, now, request);
}

/** Facts as they are now; while a server is away, the old ones serve to try again. */
export async function refreshed(context: RunContext, facts: TableFacts): Promise<TableFacts | TableFailure> {
  const now = await lookAgain(context, facts.settings);
  return 'error' in now && now.error.isTransient ? facts : now;
}

async function lookAgain(context: RunContext, settings: TableSettings): Promise<TableFacts | TableFailure> {
  try {
    const { tables, failures } = await gatherFacts(context, [settings]);
    const [found] = [...tables, ...failures];
    if (!found) throw new Error('nobody has looked at a table');
    return found;
  } catch (error) {
    return { settings, error: asIncrepError(error) };
  }
}

const cursorBefore = ({ saved }: TableFacts): string | null =>
  saved.kind === 'record' ? saved.record.cursor : saved.kind === 'legacy' ? saved.cursor : null;

function outcomeOf(
  facts: TableFacts,
  { action, reason }: Pick<Plan, 'action' | 'reason'>,
  start: Start,
): TableOutcome {
  return {
    name: facts.settings.name,
    status: 'skipped',
    action,
    reason,
    ...NO_ROWS,
    durationSeconds: (performance.now() - start.ticks) / 1000,
    cursor: cursorBefore(facts),
    cursorBefore: cursorBefore(facts),
    startedAt: start.at,
    warnings: [],
    error: undefined,
  };
}

async function succeeded(
  context: RunContext,
  facts: TableFacts,
  plan: IncrementalPlan | LoadPlan,
  { transfer, record, unchangedSince }: Applied,
  start: Start,
): Promise<TableOutcome> {
  for (const message of transfer.warnings)
    await context.emit({ type: 'warning', table: facts.settings.name, message });
  const before = 'warnings' in facts.saved ? facts.saved.warnings : [];
  const { areDeletesDone: _, contents: __, refusal, reason = plan.reason, ...counts } = transfer;
  const told = unchangedSince === undefined ? { ...plan, reason } : unchanged(unchangedSince);
  return {
    ...outcomeOf(facts, told, start),
    ...counts,
    status: refusal ? 'failed' : 'ok',
    error: refusal && failureOf(refusal),
    cursor: record.cursor,
    warnings: [...before, ...(unchangedSince === undefined ? loaderWarning(plan) : []), ...transfer.warnings],
  };
}

/** It was looked at, and is up to date: a success like any other. */
const unchanged = (since: string): Pick<Plan, 'action' | 'reason'> => ({
  action: 'skipped',
  reason: `nothing has changed at the source since ${since.replace(/\.\d+Z$/, 'Z')}`,
});

/** Without a plan nothing came of it but the error. */
const failed = (
  facts: TableFacts,
  plan: Plan | undefined,
  error: IncrepError,
  start: Start,
): TableOutcome => ({
  ...outcomeOf(facts, plan ?? { action: 'skipped', reason: error.message }, start),
  status: 'failed',
  error: failureOf(error),
});

const failedUnknown = ({ settings, error }: TableFailure, start: Start): TableOutcome => ({
  name: settings.name,
  status: 'failed',
  action: 'skipped',
  reason: error.message,
  ...NO_ROWS,
  durationSeconds: (performance.now() - start.ticks) / 1000,
  cursor: null,
  cursorBefore: null,
  startedAt: start.at,
  warnings: [],
  error: failureOf(error),
});

export const failureOf = (error: IncrepError): Failure => ({
  code: error.code,
  message: error.message,
  hint: error.next,
  sqlstate: error.sqlstate,
  exitCode: error.exitCode,
});
