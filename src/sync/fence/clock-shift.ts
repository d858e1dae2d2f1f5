/** Detects that the source was replaced or that its clock was set back. Pure. */
import { formatSeconds } from '../../format.ts';
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
export function clockShift(record: StateRecord, fence: RaisedFence, source: Source): ClockShift {
  const here = (fence.fencedAt.getTime() - Date.parse(record.fencedAt)) / 1000;
  const atSource = (Date.parse(fence.sourceTime) - Date.parse(record.sourceTime)) / 1000;
  const lag = here - atSource > TOLERATED_SECONDS ? here - atSource : 0;
  const isFailover = isReplaced(record, fence, source);
  return {
    seconds: lag + (isFailover ? FAILOVER_LOOKBACK_SECONDS : 0),
    warnings:
      lag - record.networkSeconds > TOLERATED_SECONDS
        ? [
            `the source's clock was set back by about ${formatSeconds(lag)} since the last sync (or this machine's clock was set forward), so the window starts that much lower`,
          ]
        : [],
  };
}
