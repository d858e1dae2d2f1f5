/** Times that a wrong clock of this machine has left behind. */

/** Milliseconds. Clocks that nobody synchronizes differ by seconds, and the answer of a slow network is as late. */
export const TOLERATED_CLOCK_ERROR = 60_000;

/** Whether a time that was recorded in the past (RFC 3339) is later than now. */
export const isToCome = (recorded: string, now: Date): boolean =>
  Date.parse(recorded) > now.getTime() + TOLERATED_CLOCK_ERROR;
