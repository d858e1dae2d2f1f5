/** The waits of the program, shorter where a test would otherwise only wait. */
import { DEFAULT_TIMING, type Timing } from '../../src/timing.ts';

type Changes<T> = { readonly [Name in keyof T]?: T[Name] extends object ? Changes<T[Name]> : T[Name] };
export type TimingChanges = Changes<Timing>;

/** For calls in this process: what the program does after a wait is tested, and test/gate/timing.test.ts tests the waits. */
const TEST_TIMING: Timing = merged(DEFAULT_TIMING, {
  retryDelay: { base: 0.02, max: 0.2 },
  tunnel: { retryDelay: { base: 0.02, max: 0.2 } },
  transactionWait: 0.3,
  tableLockPoll: 0.02,
  tableLockGrace: 0.5,
  exclusiveLock: { retryDelay: { base: 0.05, max: 0.2 } },
  delivery: { retryDelay: { base: 0.01, max: 0.05 } },
});

/** For a test in which somebody holds a table all the time. */
export const IMPATIENT: TimingChanges = { lockTimeout: 0.2, tableLockGrace: 0.2, ownLockWait: 0.5 };

/** The waits of tests with other values in place of some; "default": those of the program. */
export const timingWith = (changes: TimingChanges | 'default' = {}): Timing =>
  changes === 'default' ? DEFAULT_TIMING : merged(TEST_TIMING, changes);

function merged<T extends object>(values: T, changes: Changes<T>): T {
  const entries = Object.entries(values).map(([name, value]: [string, unknown]) => {
    const change: unknown = (changes as Readonly<Record<string, unknown>>)[name];
    if (change === undefined) return [name, value] as const;
    return [name, isObject(value) && isObject(change) ? merged(value, change) : change] as const;
  });
  return Object.fromEntries(entries) as T;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
