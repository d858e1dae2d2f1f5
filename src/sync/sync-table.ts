/** One table in one run: plan, do, try again where that can help, and tell what happened. */
import { asIncrepError, reworded, type IncrepError } from '../errors.ts';
import type { Failure, TableOutcome } from '../events.ts';
import { backoffSeconds, sleep } from '../retry.ts';
import { applyPlan, OWN_LOCK_SECONDS, type Applied, type ApplyRequest } from './apply-plan.ts';
import { oneGoWarning } from './chunks/words.ts';
import { gatherFacts, type TableFacts } from './facts.ts';
import { withHolders } from './lock-holders.ts';
import { planWithTools } from './plan-with-tools.ts';
import { planTable, type IncrementalPlan, type LoadPlan, type Plan, type Request } from './plan.ts';
import type { Work } from './work.ts';

/** Three tries more than the first: enough for a failover of seconds, and over before the next cron minute. */
export const MAX_ATTEMPTS = 4;

export type TableRequest = Request & ApplyRequest;

/** The wall clock says when, and may be set meanwhile; the monotonic one (milliseconds) says how long. */
interface Start {
  readonly at: Date;
  readonly ticks: number;
}

export async function syncTable(
  work: Work,
  firstFacts: TableFacts,
  request: TableRequest,
): Promise<TableOutcome> {
  const start: Start = { at: new Date(), ticks: performance.now() };
  let facts = firstFacts;
  let isAgain = false;
  for (let attempt = 1; ; attempt += 1) {
    let plan = planTable(facts, request);
    try {
      plan = await planWithTools(work, facts, request);
      await announce(work, facts, plan);
      if (plan.kind === 'skip') return outcomeOf(facts, plan, start);
      if (plan.kind === 'refuse') throw plan.error;
      const applied = await applyPlan(
        work,
        facts,
        plan,
        isAgain
          ? { ...request, waitLockSeconds: Math.max(request.waitLockSeconds, OWN_LOCK_SECONDS) }
          : request,
      );
      return await succeeded(work, facts, plan, applied, start);
    } catch (thrown) {
      const error = await withHolders(work, facts, asIncrepError(thrown));
      if (work.signal?.aborted === true || !error.isTransient || attempt === MAX_ATTEMPTS)
        return failed(facts, plan, attempt === MAX_ATTEMPTS ? givenUp(error) : error, start);
      work.party?.leave();
      await pause(work, facts.settings.name, attempt, error);
      isAgain = true;
      const kept = chunksKept(facts);
      facts = await refreshed(work, facts);
      // What has come further is not given up: a load of many hours meets more faults than a few.
      if (chunksKept(facts) > kept) attempt = 0;
    }
  }
}

async function announce(work: Work, { settings, source, saved }: TableFacts, plan: Plan): Promise<void> {
  const table = settings.name;
  await work.emit({
    type: 'table-planned',
    table,
    action: plan.action,
    reason: plan.reason,
    estimatedRows: source?.estimatedRows,
  });
  for (const message of [...('warnings' in saved ? saved.warnings : []), ...loaderWarning(plan)]) {
    await work.emit({ type: 'warning', table, message });
  }
}

const chunksKept = ({ pendingLoad }: TableFacts): number => pendingLoad?.done.length ?? 0;

/** Someone who asked for pg_dump, or for chunks, has to learn that it was not done. */
export const loaderWarning = (plan: Plan): string[] =>
  plan.kind !== 'load'
    ? []
    : [
        ...(plan.loader.why === undefined ? [] : [`loaded by COPY instead of pg_dump: ${plan.loader.why}`]),
        ...(plan.oneGoWhy === undefined ? [] : [oneGoWarning(plan.oneGoWhy)]),
      ];

/** What was tried again and again says so: else nobody would know that once more is no remedy. */
export const givenUp = (error: IncrepError): IncrepError =>
  error.isTransient
    ? reworded(error, { what: `${error.message}; tried ${MAX_ATTEMPTS} times`, next: error.next })
    : error;

/** `table`: undefined before there is one to speak of. */
export async function pause(
  work: Work,
  table: string | undefined,
  attempt: number,
  error: IncrepError,
): Promise<void> {
  const delaySeconds = backoffSeconds(attempt);
  await work.emit({ type: 'retrying', table, attempt, delaySeconds, error: failureOf(error) });
  await sleep(delaySeconds, work.signal);
}

/** Facts as they are now; while a server is away, the old ones serve to try again. */
export async function refreshed(work: Work, facts: TableFacts): Promise<TableFacts> {
  try {
    return (await gatherFacts(work, [facts.settings])).tables[0] ?? facts;
  } catch (error) {
    if (asIncrepError(error).isTransient) return facts;
    throw error;
  }
}

const NOTHING = {
  loader: undefined,
  rowsRead: 0,
  rowsInserted: 0,
  rowsUpdated: 0,
  rowsUnchanged: 0,
  rowsDeleted: 0,
  bytes: 0,
};

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
    ...NOTHING,
    durationSeconds: (performance.now() - start.ticks) / 1000,
    cursor: cursorBefore(facts),
    cursorBefore: cursorBefore(facts),
    startedAt: start.at,
    warnings: [],
    error: undefined,
  };
}

async function succeeded(
  work: Work,
  facts: TableFacts,
  plan: IncrementalPlan | LoadPlan,
  { transfer, record }: Applied,
  start: Start,
): Promise<TableOutcome> {
  for (const message of transfer.warnings)
    await work.emit({ type: 'warning', table: facts.settings.name, message });
  const before = 'warnings' in facts.saved ? facts.saved.warnings : [];
  const { areDeletesDone: _, refusal, ...counts } = transfer;
  return {
    ...outcomeOf(facts, plan, start),
    ...counts,
    status: refusal ? 'failed' : 'ok',
    error: refusal && failureOf(refusal),
    cursor: record.cursor,
    warnings: [...before, ...loaderWarning(plan), ...transfer.warnings],
  };
}

const failed = (facts: TableFacts, plan: Plan, error: IncrepError, start: Start): TableOutcome => ({
  ...outcomeOf(facts, plan, start),
  status: 'failed',
  error: failureOf(error),
});

export const failureOf = (error: IncrepError): Failure => ({
  code: error.code,
  message: error.message,
  hint: error.next,
  sqlstate: error.sqlstate,
  exitCode: error.exitCode,
});
