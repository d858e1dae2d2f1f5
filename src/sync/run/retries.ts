import { reworded, type IncrepError } from '../../errors.ts';
import { backoffSeconds, sleep } from '../../retry.ts';
import type { RunContext } from '../context/run-context.ts';
import { failureOf } from './table-outcome.ts';
/** Whether a failed attempt is made again, and after which pause. */

/** Three more than the first: enough for a failover of seconds, and over before the next cron minute. */
const MAX_ATTEMPTS = 4;

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
