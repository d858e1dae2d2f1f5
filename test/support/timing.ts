/** The waits of the program, shorter where a test would otherwise only wait. */
import { DEFAULT_TIMING, type Timing } from '../../src/timing.ts';

type Changes<T> = { readonly [Name in keyof T]?: T[Name] extends object ? Changes<T[Name]> : T[Name] };
export type TimingChanges = Changes<Timing>;

/** `DEFAULT_TIMING` with other values in place of some. */
export const timingWith = (changes: TimingChanges): Timing => merged(DEFAULT_TIMING, changes);

function merged<T extends object>(values: T, changes: Changes<T>): T {
  const entries = Object.entries(values).map(([name, value]: [string, unknown]) => {
    const change: unknown = (changes as Readonly<Record<string, unknown>>)[name];
    if (change === undefined) return [name, value] as const;
    return [name, isObject(value) && isObject(change) ? merged(value, change) : change] as const;
  });
  return Object.fromEntries(entries) as T;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
