/** Detects that the source was replaced or that its clock was set back. Pure. */
import { formatSeconds } from '../../format.ts';
import { TOLERATED_CLOCK_ERROR } from '../../schema/clock-error.ts';
import { secondsAhead, type ServerClock } from '../../postgres/server-clock.ts';
import type { StateRecord } from '../../schema/state-record.ts';
import type { RaisedFence } from './fence.ts';

/** A promoted standby may lack the last commits of its primary, and it has another clock. */
const FAILOVER_LOOKBACK_SECONDS = 3600;
/** Two synchronized clocks may differ by this much. */
const TOLERATED_SECONDS = 1;

interface Source {
  readonly timeline: number | null;
  readonly isStandby: boolean;
}

interface ClockSides {
  readonly source: Source;
  readonly destination: { readonly serverClock: ServerClock };
}

/**
 * Whether the source may have lost commits: it is on another timeline, or it assigns transaction IDs a second time. A
 * standby is excluded from the second check, because it lags behind its primary.
 */
export const isReplaced = (
  { sourceLife, settledXid }: StateRecord,
  { nextXid }: RaisedFence,
  { timeline, isStandby }: Source,
): boolean =>
  (sourceLife.timeline !== null && timeline !== null && sourceLife.timeline !== timeline) ||
  (!isStandby && settledXid !== null && BigInt(nextXid) < BigInt(settledXid));

export interface ClockShift {
  /** How much lower the window has to start. */
  readonly seconds: number;
  readonly warnings: readonly string[];
}

/**
 * Between two fences the source's clock must advance as much as the clock of this machine. A lag means that it was set
 * back: rows written since then may have keys that far below the cursor. If the clock of this machine was set forward
 * instead, the wider window only costs some reading.
 *
 * The question for the source's clock takes an unknown part of `networkSeconds` to arrive. If it took longer for the first
 * fence, the source seems to lag. The window starts lower in any case, but only a lag that the network cannot explain
 * is reported.
 */
export function clockShift(
  record: StateRecord,
  fence: RaisedFence,
  { source, destination }: ClockSides,
): ClockShift {
  const here = (fence.fencedAt.getTime() - Date.parse(record.fencedAt)) / 1000;
  const atSource = (Date.parse(fence.sourceTime) - Date.parse(record.sourceTime)) / 1000;
  const lag = here - atSource > TOLERATED_SECONDS ? here - atSource : 0;
  const isFailover = isReplaced(record, fence, source);
  const [sourceNow, destinationNow] = [sourceAhead(fence), secondsAhead(destination.serverClock)];
  return {
    seconds: lag + (isFailover ? FAILOVER_LOOKBACK_SECONDS : 0),
    warnings:
      lag - record.networkSeconds > TOLERATED_SECONDS && !isRunsWarning(lag, sourceNow, destinationNow)
        ? [
            `${wrongClock(lag, sourceNow, destinationNow)}. The sync reads the rows of that time again. No action is needed`,
          ]
        : [],
  };
}

const sourceAhead = ({ sourceTime, fencedAt }: RaisedFence): number =>
  (Date.parse(sourceTime) - fencedAt.getTime()) / 1000;

/** Whether two clocks differ by much less than the lag. */
const agree = (lag: number, one: number, other: number): boolean => Math.abs(one - other) < lag / 2;

/** A run warns of a clock of this machine that is far from both servers. */
const isRunsWarning = (lag: number, source: number, destination: number): boolean =>
  Math.abs(source) * 1000 > TOLERATED_CLOCK_ERROR && agree(lag, source, destination);

/** The clock that differs from the other two now. Both servers are compared with this machine. */
function wrongClock(lag: number, source: number, destination: number): string {
  const by = formatSeconds(lag);
  if (agree(lag, source, 0))
    return `the clocks of the source and of this machine were about ${by} apart at the last sync, and now they agree`;
  if (agree(lag, destination, 0))
    return `the source's clock was set back by about ${by} since the last sync; the clocks of this machine and of the destination agree`;
  return agree(lag, source, destination)
    ? `this machine's clock is wrong: it was set forward by about ${by} since the last sync, and the clocks of source and destination agree`
    : `the clocks of the source and of this machine moved apart by about ${by} since the last sync, and the destination has a third time`;
}
