import { asIncrepError, reworded, type IncrepError } from '../../errors.ts';
import { backoffSeconds, sleep } from '../../backoff.ts';
import type { RunContext } from '../context/run-context.ts';
import { failureOf } from './table-outcome.ts';
/** Decides whether a failed attempt is repeated, and after which pause. */

/** Seconds; undefined if the attempts or the time limit are used up. */
export function waitBeforeNext(context: RunContext, attempt: number): number | undefined {
  const { attempts, delaySeconds } = context.settings.retry;
  if (context.signal?.aborted === true || attempt >= attempts) return undefined;
  const { retryDelay } = context.timing;
  const seconds = backoffSeconds(
    attempt,
    delaySeconds === undefined
      ? retryDelay
      : { base: delaySeconds, max: Math.max(delaySeconds, retryDelay.max) },
  );
  return seconds < context.timeLimit.remainingSeconds ? seconds : undefined;
}

/** The error says how often increp tried, so that users do not expect another attempt to help. */
export function givenUp(
  { settings: { retry }, timeLimit, signal }: RunContext,
  error: IncrepError,
  attempts: number,
): IncrepError {
  if (!error.isTransient || signal?.aborted === true || retry.attempts === 1) return error;
  const why =
    attempts >= retry.attempts ? `tried ${attempts} times` : timeLimit.words(' before increp could retry');
  return reworded(error, { what: `${error.message}; ${why}`, next: error.next });
}

interface Pause {
  /** Undefined if the error came before the first table. */
  readonly table: string | undefined;
  readonly attempt: number;
  readonly delaySeconds: number;
}

/** Repeats work that only reads. `table` is undefined before the first table. */
export async function persistently<T>(
  context: RunContext,
  table: string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (thrown) {
      const error = asIncrepError(thrown);
      const delaySeconds = error.isTransient ? waitBeforeNext(context, attempt) : undefined;
      if (delaySeconds === undefined) throw givenUp(context, error, attempt);
      await pause(context, { table, attempt, delaySeconds }, error);
    }
  }
}

export async function pause(context: RunContext, what: Pause, error: IncrepError): Promise<void> {
  await context.emit({ type: 'retrying', ...what, error: failureOf(error) });
  await sleep(what.delaySeconds, context.signal);
}
