// oxlint-disable typescript/no-unnecessary-type-parameters -- the caller says what the JSON is
/** Runs the real command as a child process in the pipeline's directory. */
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Phase } from '../../src/events.ts';
import { execa } from 'execa';
import { expectNoSecret, rememberSettings } from './canaries.ts';
import type { Pair } from './open-pair.ts';
import { PROGRAM, withProgram } from './named-program.ts';
import { PROJECT } from './project.ts';
import type { TimingChanges } from './timing.ts';

export interface IncrepOptions {
  /** Added to a nearly empty environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** For stdin; empty otherwise. */
  readonly input?: string;
  /** Milliseconds until the command is killed. */
  readonly timeout?: number;
  /** What `timeout` kills with; SIGKILL unless told. */
  readonly killSignal?: NodeJS.Signals;
  /** Instead of the pipeline's directory. */
  readonly cwd?: string;
  /** `child`: the test is about the process. Otherwise one call in ten runs as a child, so that the seam is tested too. */
  readonly process?: 'child';
  /** Other waits than the program's own; such a call never runs as a child. */
  readonly timing?: TimingChanges | 'default';
}

export interface IncrepResult {
  /** Undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly isTimedOut: boolean;
  /** stdout as one JSON document. */
  json<T = Record<string, unknown>>(): T;
  /** stdout as one JSON object a line. */
  lines<T = Record<string, unknown>>(): T[];
}

export interface RunningIncrep extends AsyncDisposable {
  readonly pid: number;
  /** What it has written so far. */
  readonly stdout: string;
  readonly stderr: string;
  kill(signal?: NodeJS.Signals): void;
  /** Its end. */
  wait(): Promise<IncrepResult>;
  /** Fails when the command ends without it, or after `timeout` milliseconds (30,000). */
  waitForStderr(text: string | RegExp, timeout?: number): Promise<void>;
  /** With -v: fails when the command ends without that phase. */
  waitForPhase(phase: Phase): Promise<void>;
}

export type Place = Pick<Pair, 'directory'>;

/** Milliseconds. */
export const TIMEOUT_MS = 50_000;

/** Hundreds of processes start in a test run; each compiles only what is new. */
export const COMPILE_CACHE = join(PROJECT, 'node_modules', '.cache', 'increp-compiled');

export const wordsOf = (args: string | readonly string[]): readonly string[] =>
  typeof args === 'string' ? args.split(/\s+/).filter(Boolean) : args;

/** HOME is the pipeline's, so that no .pgpass and no certificate of the developer is found. */
export const environmentFor = (place: Place, { env }: IncrepOptions) => ({
  PATH: process.env['PATH'],
  HOME: place.directory,
  LANG: 'C.UTF-8',
  ...env,
});

export const expectNoSecretIn = (
  directory: string,
  words: readonly string[],
  { stdout, stderr }: Pick<IncrepResult, 'stdout' | 'stderr'>,
): void =>
  expectNoSecret(directory, {
    [`stdout of increp ${words[0] ?? ''}`]: stdout,
    [`stderr of increp ${words[0] ?? ''}`]: stderr,
  });

/** The command as a child process while it runs, to be killed or looked at; leaving the scope kills it. */
export function startIncrep(
  args: string | readonly string[],
  place: Place,
  options: IncrepOptions = {},
): RunningIncrep {
  const words = wordsOf(args);
  const environment = environmentFor(place, options);
  const child = execa(process.execPath, [PROGRAM, ...words], {
    cwd: options.cwd ?? place.directory,
    env: {
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      ...environment,
      PATH: withProgram(environment.PATH),
    },
    extendEnv: false,
    input: options.input ?? '',
    timeout: options.timeout ?? TIMEOUT_MS,
    killSignal: options.killSignal ?? 'SIGKILL',
    // A SIGTERM that is not obeyed is what some tests look for.
    forceKillAfterDelay: false,
    reject: false,
    stripFinalNewline: false,
    maxBuffer: 100_000_000,
  });
  const seen = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => (seen[name] += chunk));
  }
  rememberSettings(options.cwd ?? place.directory, options.env ?? {});
  let hasEnded = false;
  const end = child.then((result) => {
    hasEnded = true;
    expectNoSecretIn(options.cwd ?? place.directory, words, result);
    return describeResult(result);
  });
  // Whoever waits for it hears of a secret, or whoever leaves the scope: once.
  end.catch(() => undefined);
  let isAwaited = false;
  return {
    pid: child.pid ?? 0,
    get stdout() {
      return seen.stdout;
    },
    get stderr() {
      return seen.stderr;
    },
    kill: (signal = 'SIGTERM') => void child.kill(signal),
    wait: () => {
      isAwaited = true;
      return end;
    },
    waitForPhase(phase) {
      return this.waitForStderr(new RegExp(`"phase":"${phase}"|DEBUG: .*: ${phase}(?::|$)`, 'm'));
    },
    waitForStderr: async (text, timeout = 30_000) => {
      const deadline = Date.now() + timeout;
      const isThere = () => (typeof text === 'string' ? seen.stderr.includes(text) : text.test(seen.stderr));
      while (!isThere()) {
        if (hasEnded || Date.now() > deadline) {
          throw new Error(`increp ${words.join(' ')} did not say ${text}; it said:\n${seen.stderr}`);
        }
        await sleep(10);
      }
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await (isAwaited ? end.catch(() => undefined) : end);
    },
  };
}

interface Ended {
  readonly exitCode?: number;
  readonly signal?: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

export function describeResult({ exitCode, signal, stdout, stderr, timedOut }: Ended): IncrepResult {
  const parse = (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Error(`not JSON: ${text.slice(0, 2000)}\nstderr: ${stderr}`, { cause: error });
    }
  };
  return {
    exitCode,
    signal,
    stdout,
    stderr,
    isTimedOut: timedOut,
    json: <T>() => parse(stdout) as T,
    lines: <T>() =>
      stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => parse(line) as T),
  };
}
