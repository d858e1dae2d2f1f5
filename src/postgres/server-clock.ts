/** Compares the clock of this machine with the clocks of the servers: pure. */
import { TOLERATED_CLOCK_ERROR } from '../schema/clock-error.ts';

/** What a server's clock showed once. */
export interface ServerClock {
  /** Milliseconds since 1970, by the server. */
  readonly at: number;
  /** The same by this machine, when the answer arrived. */
  readonly hereAt: number;
  /** When the answer arrived, in milliseconds of a monotonic clock (`performance.now()`). */
  readonly receivedAt: number;
}

/** Seconds by which the server was ahead of this machine, at the start of its session. */
export const secondsAhead = ({ at, hereAt }: ServerClock): number => (at - hereAt) / 1000;

interface Here {
  /** Milliseconds since 1970, by this machine. */
  readonly now: number;
  /** Milliseconds of the monotonic clock. */
  readonly elapsed: number;
}

/**
 * Milliseconds by which the clock of this machine is ahead of the servers. 0 if they do not agree with each other, because
 * then nobody knows which clock is right, or if one of them is not known.
 */
export function clockError(clocks: readonly (ServerClock | undefined)[], { now, elapsed }: Here): number {
  const ahead = clocks.map((clock) => clock && now - (clock.at + elapsed - clock.receivedAt));
  const known = ahead.filter((each) => each !== undefined);
  if (known.length < 2 || known.length < clocks.length) return 0;
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const isAgreed = most - least <= TOLERATED_CLOCK_ERROR;
  const isOff = Math.min(Math.abs(least), Math.abs(most)) > TOLERATED_CLOCK_ERROR;
  return isAgreed && isOff ? (least + most) / 2 : 0;
}
