import { formatDuration } from '../../duration.ts';
import { formatSeconds, formatCounted } from '../../format.ts';
import { localTime } from '../../report/local-time.ts';
import type { RunStart } from './schedule.ts';

/** One run of a loop. */
export interface Iteration {
  /** Ends this run. It follows the signal of the loop, so that no listener of a finished run stays on that signal. */
  readonly signal: AbortSignal;
  /** A log line before the run. */
  readonly notice: string | undefined;
  /** Printed above the output of the run, so that a log file shows when the run started. */
  readonly head: string;
}

/**
 * Undefined if no run was skipped. `lateMs` is the time from the due start of the next run to the end of the previous
 * one.
 */
export const noticeOf = ({ skipped }: RunStart, everySeconds: number, lateMs: number): string | undefined =>
  skipped === 0
    ? undefined
    : `skipped ${formatCounted(skipped, 'run')} (every ${formatDuration(everySeconds)}): the previous run ended ${formatSeconds(lateMs / 1000)} after the next one was due`;

export const headOf = (now: Date): string => `run at ${localTime(now)}\n`;
