/** How the parts of the configuration read the variables and report problems. */
import { nearest } from '../../nearest.ts';
import type { Problem, ReportProblem, Warn } from '../problems.ts';
import { alternatives, show } from '../problems.ts';
import type { Environment } from '../../environment.ts';
import type { Values } from './values.ts';
import type { VariableName } from './variables.ts';
import { variable } from './variables.ts';

export interface PrintedPassword {
  readonly password: string;
  /** Milliseconds of a monotonic clock. */
  readonly at: number;
}

export interface PasswordMemory {
  /** What password commands have printed. Shared by the runs of --watch. */
  readonly printed: Map<string, PrintedPassword>;
  /** Called with each new password, so that it is redacted. */
  readonly learn: (password: string) => void;
}

export interface SettingsReading {
  /** The directory of the pipeline. Relative paths start there. */
  readonly directory: string;
  readonly values: Values;
  /** The environment of the program, for password commands. */
  readonly environment: Environment;
  readonly passwords: PasswordMemory;
  readonly report: ReportProblem;
  readonly warn: Warn;
}

/** The text of the variable, or its default. */
export function textOf({ values }: SettingsReading, name: VariableName): string | undefined {
  return values.get(name)?.text ?? variable(name)?.default;
}

export function isSet({ values }: SettingsReading, name: VariableName): boolean {
  return values.has(name);
}

export function refuse(
  reading: SettingsReading,
  name: VariableName,
  problem: Omit<Problem, 'where'>,
): undefined {
  const origin = reading.values.get(name)?.origin;
  reading.report({ where: origin === undefined ? name : `${name} (${origin})`, ...problem });
}

/** The text of the variable. If it is not set, a problem says what to write. */
export function required(reading: SettingsReading, name: VariableName): string | undefined {
  const text = textOf(reading, name);
  if (text !== undefined) return text;
  const example = variable(name)?.example ?? '...';
  return refuse(reading, name, { what: `not set; write ${name}=${example} in .env` });
}

/** A text that must be one of a few words. */
export function choose<const T extends string>(
  choices: readonly T[],
  text: string | undefined,
  report: (problem: Omit<Problem, 'where'>) => void,
): T | undefined {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) {
    const what = `${show(text)} is unknown`;
    report({ what, allowed: alternatives(choices), suggestion: nearest(text ?? '', choices) });
  }
  return choice;
}

export function choiceOf<const T extends string>(
  reading: SettingsReading,
  name: VariableName,
  choices: readonly T[],
) {
  return choose(choices, textOf(reading, name), (problem) => refuse(reading, name, problem));
}
