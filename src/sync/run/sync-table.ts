/** One table in one run: plan, apply, retry if that can help, and report the result. */
import { asIncrepError, type IncrepError } from '../../errors.ts';
import type { TableSettings } from '../../config/settings.ts';
import type { TableOutcome } from '../../events.ts';
import { applyPlan, type ApplyRequest } from './apply-plan.ts';
import { altered, isSameDestination } from '../write/destination-lock.ts';
import type { TableFacts, TableFailure } from '../facts/facts.ts';
import { gatherFacts } from '../facts/gather-facts.ts';
import { withLockNeeds } from '../facts/lock-needs.ts';
import { failureWithHolders, withHolders } from '../lock/lock-holders.ts';
import { noChunks } from '../load/chunks/chunked-load.ts';
import { completePlan } from '../plan/complete-plan.ts';
import type { PlanChange } from '../plan/replan.ts';
import type { DraftPlan, Plan, PlanRequest } from '../plan/plan.ts';
import { planTable } from '../plan/plan-table.ts';
import type { RunContext } from '../context/run-context.ts';
import { startNow, type Start } from '../context/start.ts';
import {
  stoppedInChunks,
  wholeLoadWarning,
  outcomeOf,
  succeeded,
  failed,
  failedUnknown,
} from './table-outcome.ts';
import { withSelectionCause } from '../facts/selection-cause.ts';
import { withMissingGrant } from './with-missing-grant.ts';
import { withStagingSpace } from './with-staging-space.ts';
import { withObstruction } from './with-obstruction.ts';
import { waitBeforeNext, givenUp, pause, persistently } from './retries.ts';

export type TableRequest = PlanRequest & ApplyRequest;

export async function syncTable(
  context: RunContext,
  firstFacts: TableFacts,
  firstRequest: TableRequest,
): Promise<TableOutcome> {
  const start = startNow();
  const progress = noChunks();
  let facts = firstFacts;
  let request: TableRequest = { ...firstRequest, progress, loadBefore: firstFacts.pendingLoad };
  let attempt = 1;
  for (let isFirst = true; ; isFirst = false) {
    const result = await attemptSync(context, { facts, request, attempt, isFirst, start });
    if (result.kind === 'finished') return result.outcome;
    context.group?.leave();
    if (result.kind === 'retry') {
      // The next connection identifies the server again.
      if (result.error.code === 'SERVER_CHANGED') context.source.discard();
      await pause(context, { table: facts.settings.name, ...result, attempt }, result.error);
    }
    const kept = chunksKept(facts);
    // What another run has overtaken is of no use for the next attempt.
    const areOvertaken = result.kind === 'retry' && result.error.code === 'SCHEMA_CHANGED';
    const now = await (areOvertaken ? gatherUntilReached : refreshed)(context, facts);
    if ('error' in now) return failed(facts, result.plan, now.error, { start, ...request });
    facts = now;
    if (result.kind === 'replan') request = { ...request, ...result.change };
    // A load of many hours meets many errors. As long as it completes chunks, the attempts are counted from 1 again.
    else attempt = chunksKept(facts) > kept ? 1 : attempt + 1;
  }
}

interface TableAttempt {
  readonly facts: TableFacts;
  readonly request: TableRequest;
  /** From 1. */
  readonly attempt: number;
  readonly isFirst: boolean;
  readonly start: Start;
}

type AttemptResult =
  | { readonly kind: 'finished'; readonly outcome: TableOutcome }
  | { readonly kind: 'replan'; readonly plan: Plan; readonly change: Partial<TableRequest> }
  | {
      readonly kind: 'retry';
      readonly plan: DraftPlan | undefined;
      readonly error: IncrepError;
      readonly delaySeconds: number;
    };

async function attemptSync(
  context: RunContext,
  { facts, request, attempt, isFirst, start }: TableAttempt,
): Promise<AttemptResult> {
  let plan: DraftPlan | undefined;
  const finished = (outcome: TableOutcome): AttemptResult => ({ kind: 'finished', outcome });
  try {
    plan = planTable(facts, request);
    const complete = await completePlan(context, facts, plan);
    plan = complete;
    await announce(context, facts, complete);
    if (complete.kind === 'skip') return finished(outcomeOf(facts, complete, start));
    if (complete.kind === 'refuse') throw complete.error;
    // The session of the first attempt may still hold the lock, so a retry waits for it.
    const waitLockSeconds = isFirst
      ? request.waitLockSeconds
      : Math.max(request.waitLockSeconds, context.timing.ownLockWait);
    const result = await applyPlan(context, facts, complete, { ...request, waitLockSeconds });
    switch (result.kind) {
      case 'applied':
        return finished(await succeeded(context, facts, complete, result, start));
      case 'stopped':
        return finished(stoppedInChunks(context, facts, complete, result, start));
      case 'replan': {
        const change = changeOf(request, result.change);
        if (!change) throw result.error;
        return { kind: 'replan', plan: complete, change };
      }
    }
  } catch (thrown) {
    const seen = await orAltered(context, facts, asIncrepError(thrown));
    const held = await withLockNeeds(context, facts, await withHolders(context, facts, seen));
    const granted = await withMissingGrant(context, facts, held);
    const caused = withSelectionCause(facts, granted);
    const explained = await withObstruction(context, facts, caused);
    const error = await withStagingSpace(context, facts, plan, explained);
    const delaySeconds = error.isTransient ? waitBeforeNext(context, attempt) : undefined;
    return delaySeconds === undefined
      ? finished(failed(facts, plan, givenUp(context, error, attempt), { start, ...request }))
      : { kind: 'retry', plan, error, delaySeconds };
  }
}

/** Undefined if the request has this change already: increp tries each alternative once. */
function changeOf(request: TableRequest, change: PlanChange): Partial<TableRequest> | undefined {
  if (change.notInPlace && request.notInPlace === undefined) return change;
  return change.removesFirst === true && request.removesFirst !== true
    ? { ...change, areDeletesForced: true }
    : undefined;
}

/** If the destination table changed after planning, the error of the outdated plan is misleading. Reports the change instead. */
async function orAltered(context: RunContext, facts: TableFacts, error: IncrepError): Promise<IncrepError> {
  if (error.isTransient || context.signal?.aborted === true) return error;
  const now = await refreshed(context, facts);
  if ('error' in now) return error;
  return isSameDestination(facts.destination, now.destination) ? error : altered(facts, error);
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
    reasons: plan.reasons,
    estimatedRows: source?.estimatedRows,
  });
  for (const message of [...('warnings' in saved ? saved.warnings : []), ...wholeLoadWarning(plan)]) {
    await context.emit({ type: 'warning', table, message });
  }
}

const chunksKept = ({ pendingLoad }: TableFacts): number => pendingLoad?.done.length ?? 0;

const DISABLED = {
  status: 'skipped',
  reasons: [{ code: 'disabled' }],
  error: undefined,
} as const;

/** Syncs a table whose facts could not be gathered at the start of the run. */
export async function syncUnknown(
  context: RunContext,
  { settings, error }: TableFailure,
  request: TableRequest,
): Promise<TableOutcome> {
  const start = startNow();
  if (!settings.isEnabled) return { ...failedUnknown({ settings, error }, start), ...DISABLED };
  const now = error.isTransient ? await gatherAgain(context, settings) : { settings, error };
  return 'error' in now
    ? failedUnknown(await failureWithHolders(context, now), start)
    : syncTable(context, now, request);
}

/** The current facts. If a server cannot be reached, returns the old facts, so that a retry is possible. */
async function refreshed(context: RunContext, facts: TableFacts): Promise<TableFacts | TableFailure> {
  const now = await gatherAgain(context, facts.settings);
  return 'error' in now && now.error.isTransient ? facts : now;
}

/** The current facts. If a server cannot be reached, tries as often as a sync does. */
async function gatherUntilReached(
  context: RunContext,
  { settings }: TableFacts,
): Promise<TableFacts | TableFailure> {
  try {
    return await persistently(context, settings.name, async () => {
      const now = await gatherAgain(context, settings);
      if ('error' in now) throw now.error;
      return now;
    });
  } catch (error) {
    return { settings, error: asIncrepError(error) };
  }
}

/** The current facts of one table, whatever was gathered before. */
export async function gatherAgain(
  context: RunContext,
  settings: TableSettings,
): Promise<TableFacts | TableFailure> {
  try {
    const { tables, failures } = await gatherFacts(context, [settings]);
    const [found] = [...tables, ...failures];
    if (!found) throw new Error('no facts were gathered for a table');
    return found;
  } catch (error) {
    return { settings, error: asIncrepError(error) };
  }
}
