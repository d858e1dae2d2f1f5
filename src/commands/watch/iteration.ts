import { formatDuration } from '../../duration.ts';
import { formatCount, formatSeconds } from '../../format.ts';
import { localTime } from '../../report/local-time.ts';
import type { Tick } from './schedule.ts';

/** One run of a loop. */
export interface Iteration {
  /** Ends this turn: it stands behind the signal of the loop, so that nothing of a turn that is over hangs on that. */
  readonly signal: AbortSignal;
  /** What the log is told before the run. */
  readonly notice: string | undefined;
  /** Stands above all that the turn prints: in a file nothing else would say when it was. */
  readonly head: string;
}

/** Undefined where no turn was passed over. `lateMs`: how long after its time the run before had ended. */
export const noticeOf = ({ passedOver }: Tick, everySeconds: number, lateMs: number): string | undefined =>
  passedOver === 0
    ? undefined
    : `passed over ${formatCount(passedOver)} ${passedOver === 1 ? 'turn' : 'turns'} of ${formatDuration(everySeconds)}: the run before ended ${formatSeconds(lateMs / 1000)} after it was due to begin`;

export const headOf = (now: Date): string => `run at ${localTime(now)}\n`;
