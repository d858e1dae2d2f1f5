import { InvalidArgumentError } from 'commander';
import { DURATION_FORMS, parseDuration } from '../duration.ts';
import type { Terminal } from './terminal.ts';

/** What every command that works on a pipeline has. */
export interface GlobalOptions {
  /** -C */
  readonly directory: string | undefined;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** Seconds. @throws InvalidArgumentError, which commander turns into a usage error */
export function durationArgument(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === undefined) throw new InvalidArgumentError(`It must be ${DURATION_FORMS}.`);
  return seconds;
}

export const collect = (value: string, before: readonly string[]): readonly string[] => [
  ...before,
  ...value.split(',').filter(Boolean),
];
