/** When the source's clock, or the source itself, is no longer what it was: pure. */
import type { StateRecord } from '../../schema/state-record.ts';
import type { RaisedFence } from './fence.ts';

/** A promoted standby may have lost what its primary had committed last, and its clock is another one. */
const FAILOVER_LOOKBACK_SECONDS = 3600;
/** What two clocks that are kept in step may differ by. */
const TOLERATED_SECONDS = 1;

interface Source {
  readonly timeline: number | null;
  readonly isStandby: boolean;
}

/**
 * Whether the source has lost what it had committed: it is on another timeline, or gives numbers to transactions that it
 * had given before. (A standby follows its primary at a distance.)
 */
export const isReplaced = (
  { sourceLife, settledXid }: StateRecord,
  { nextXid }: RaisedFence,
  { timeline, isStandby }: Source,
): boolean =>
  (sourceLife.timeline !== null && timeline !== null && sourceLife.timeline !== timeline) ||
  (!isStandby && settledXid !== null && BigInt(nextXid) < BigInt(settledXid));

export interface ClockShift {
  /** How much further down the window has to reach. */
  readonly seconds: number;
  readonly warnings: readonly string[];
}

/**
 * Between two fences the source's clock must have advanced as much as ours. What it lags behind, it was set back
 * by, and rows written since then may have keys that far below the cursor. (Or ours was set forward: then this
 * costs some reading, no more.)
 */
export function clockShift(record: StateRecord, fence: RaisedFence, source: Source): ClockShift {
  const ours = (fence.fencedAt.getTime() - Date.parse(record.fencedAt)) / 1000;
  const theirs = (Date.parse(fence.sourceTime) - Date.parse(record.sourceTime)) / 1000;
  const lag = ours - theirs > TOLERATED_SECONDS ? ours - theirs : 0;
  const isFailover = isReplaced(record, fence, source);
  return {
    seconds: lag + (isFailover ? FAILOVER_LOOKBACK_SECONDS : 0),
    warnings:
      lag > 0
        ? [
            `the source's clock was set back by about ${lag.toFixed(1)} s since the last sync (or this machine's forward): the window reaches down that much further`,
          ]
        : [],
  };
}
