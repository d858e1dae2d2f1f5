/** What can go wrong at a step, and what has to come of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { RunningIncrep } from '../support/increp.ts';
import type { Pair } from '../support/pair.ts';
import type { FaultProxy, Fault } from '../support/proxy.ts';
import type { Step } from './steps.ts';

export interface Harmed {
  readonly pair: Pair;
  readonly proxy: FaultProxy;
  readonly running: RunningIncrep;
  readonly step: Step;
}

export interface Kind {
  readonly name: string;
  /** What the proxy does at the step; undefined where the network is only slow, all the time. */
  readonly fault: Fault | undefined;
  /** What happens then, while the connection is held at the step. */
  readonly meanwhile?: (harmed: Harmed) => Promise<void> | void;
  readonly isFor?: (step: Step) => boolean;
  /** "healed": exit code 0. */
  readonly ends: 'healed' | 'killed' | 'cancelled';
  /** A silent server is noticed after this. */
  readonly stallTimeout: string;
}

const LONG = '50s';
const SHORT = '1s';

const endSessions = async ({ pair, step }: Harmed, how: string): Promise<void> => {
  const { rowCount } = await pair[step.side].query(
    `SELECT ${how}(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND usename = $1 AND pid <> pg_backend_pid()`,
    [pair.login(step.side, 'increp').user],
  );
  expect(rowCount).toBeGreaterThan(0);
};

const isConnected = ({ phase }: Step) => phase !== 'connect';

export const KINDS: readonly Kind[] = [
  { name: 'cut', fault: 'cut', ends: 'healed', stallTimeout: LONG },
  { name: 'reset', fault: 'reset', ends: 'healed', stallTimeout: LONG },
  // connecting has a time limit of its own, which is longer than any test should take
  { name: 'half-open', fault: 'stall', ends: 'healed', stallTimeout: SHORT, isFor: isConnected },
  { name: 'answered into the void', fault: 'mute', ends: 'healed', stallTimeout: SHORT, isFor: isConnected },
  { name: 'the reply lost', fault: 'lose-reply', ends: 'healed', stallTimeout: LONG },
  {
    name: 'stalled for a second',
    fault: 'stall',
    meanwhile: async ({ proxy }) => {
      await sleep(1000);
      await proxy.resume();
    },
    ends: 'healed',
    stallTimeout: LONG,
  },
  {
    name: 'slow',
    fault: undefined,
    meanwhile: ({ proxy }) => {
      proxy.delay(15);
      proxy.throttle(2_000_000);
    },
    ends: 'healed',
    // Longer than it takes until what the systems in between have taken from us has arrived: we cannot see it move.
    stallTimeout: '5s',
    isFor: ({ phase }) => phase === 'copy',
  },
  {
    name: 'SIGKILL',
    fault: 'stall',
    meanwhile: async ({ running, proxy }) => {
      running.kill('SIGKILL');
      await running.wait();
      await proxy.resume();
    },
    ends: 'killed',
    stallTimeout: LONG,
  },
  {
    name: 'its sessions terminated',
    fault: 'stall',
    meanwhile: async (harmed) => {
      await endSessions(harmed, 'pg_terminate_backend');
      await harmed.proxy.resume();
    },
    ends: 'healed',
    stallTimeout: LONG,
    isFor: isConnected,
  },
  {
    name: 'its statement cancelled',
    fault: 'stall',
    meanwhile: async (harmed) => {
      await endSessions(harmed, 'pg_cancel_backend');
      await harmed.proxy.resume();
    },
    ends: 'cancelled',
    stallTimeout: LONG,
    isFor: ({ isStreaming }) => isStreaming === true,
  },
];

export function kindNamed(wanted: string): Kind {
  const found = KINDS.find(({ name }) => name === wanted);
  if (!found) throw new Error(`there is no fault ${wanted}`);
  return found;
}
