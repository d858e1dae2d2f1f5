import { formatDuration } from '../../duration.ts';
import { formatCount, formatSeconds } from '../../format.ts';
import { localTime } from '../../report/local-time.ts';
import type { Tick } from './schedule.ts';

/** One run of a loop. */
export interface Iteration {
  /** Ends this run. It follows the signal of the loop, so that nothing of a finished run listens to that signal. */
  readonly signal: AbortSignal;
  /** What the log is told before the run. */
  readonly notice: string | undefined;
  /** Printed above the output of the run: a file would not show otherwise when the run was. */
  readonly head: string;
}

/** Undefined if no run was skipped. `lateMs`: how long after the next run was due the previous one ended. */
export const noticeOf = ({ passedOver }: Tick, everySeconds: number, lateMs: number): string | undefined =>
  passedOver === 0
    ? undefined
    : `skipped ${formatCount(passedOver)} ${passedOver === 1 ? 'run' : 'runs'} (every ${formatDuration(everySeconds)}): the previous run ended ${formatSeconds(lateMs / 1000)} after the next one was due`;

export const headOf = (now: Date): string => `run at ${localTime(now)}\n`;
