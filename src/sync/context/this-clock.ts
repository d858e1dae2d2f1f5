/** The clock of this machine, compared with those of both servers. */
import { clockError } from '../../postgres/server-clock.ts';
import { formatAge } from '../../report/age.ts';
import type { Database } from '../../postgres/database.ts';

type Clocked = Pick<Database, 'serverClock'>;

interface ClockedSides {
  readonly source: Clocked;
  readonly destination: Clocked;
}

/** Milliseconds by which this machine is ahead of both servers. 0 if they do not agree, or have not been asked yet. */
export const thisClockError = ({ source, destination }: ClockedSides): number =>
  clockError([source.serverClock, destination.serverClock], {
    now: Date.now(),
    elapsed: performance.now(),
  });

/** The time by the servers, if the clock of this machine is wrong. */
export const timeByServers = (sides: ClockedSides): Date => new Date(Date.now() - thisClockError(sides));

/** @param error milliseconds. Undefined if the clock is right. */
export const wrongClockText = (error: number): string | undefined =>
  error === 0
    ? undefined
    : `this machine's clock is ${formatAge(Math.abs(error) / 1000)} ${error > 0 ? 'ahead of' : 'behind'} both servers, so ages and schedules are wrong`;

export const SET_CLOCK = 'Set the clock of this machine, for example with NTP (timedatectl set-ntp true).';
