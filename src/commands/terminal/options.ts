import { InvalidArgumentError } from 'commander';
import { JOBS, MAX_JOBS } from '../../config/jobs.ts';
import type { GivenConfiguration } from '../../config/given-configuration.ts';
import { DURATION_EXAMPLES, formatDuration, parseDuration } from '../../duration.ts';
import type { Environment } from '../../environment.ts';
import type { Timing } from '../../timing.ts';
import type { Terminal } from './terminal.ts';

/** The options of every command that works on a pipeline. */
export interface GlobalOptions {
  /** -C */
  readonly directory: string | undefined;
  readonly terminal: Terminal;
  readonly environment: Environment;
  /** Absolute. Relative paths on the command line start there. */
  readonly workingDirectory: string;
  /** Instead of the files in the directory. */
  readonly given?: GivenConfiguration | undefined;
  readonly timing: Timing;
  readonly signal: AbortSignal;
}

/**
 * Seconds. @throws InvalidArgumentError. Its message says what the value is, and `usageErrorOf` adds the option and the
 * value.
 */
export function durationArgument(text: string): number {
  const seconds = parseDuration(text);
  if (seconds === undefined)
    throw new InvalidArgumentError(`not a duration; allowed: values such as ${DURATION_EXAMPLES}`);
  return seconds;
}

/** @throws InvalidArgumentError if it is shorter than this; 0 means that it must be longer than zero */
export const durationFrom =
  (least: number) =>
  (text: string): number => {
    const seconds = durationArgument(text);
    if (seconds < least)
      throw new InvalidArgumentError(`too short; allowed: ${formatDuration(least)} or longer`);
    if (seconds === 0) throw new InvalidArgumentError('too short; allowed: longer than 0s');
    return seconds;
  };

/** @throws InvalidArgumentError */
export function jobsArgument(text: string): number {
  const jobs = /^\d+$/.test(text) ? Number(text) : 0;
  if (jobs < 1 || jobs > MAX_JOBS) throw new InvalidArgumentError(`not a number of jobs; allowed: ${JOBS}`);
  return jobs;
}

/** Separated by commas. A comma in a name is written as `\,`. */
export const collect = (value: string, before: readonly string[]): readonly string[] => [
  ...before,
  ...value
    .split(/(?<!\\),/)
    .filter(Boolean)
    .map((name) => name.replaceAll(String.raw`\,`, ',')),
];
