/** One program of the service, which is killed, stopped or frozen again and again, and started again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startIncrep, type RunningIncrep } from '../../support/increp-process.ts';
import type { Random } from '../random.ts';

/** Milliseconds, longer than any scenario. */
const NEVER = 24 * 3600 * 1000;

const UNREACHABLE = 69;

const noHarm = () => ({ started: 0, killed: 0, terminated: 0, frozen: 0, unreachable: 0 });

interface ProgramOptions {
  readonly name: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  readonly random: Random;
  /** Seconds between two harms, and how long it may stay away: the longest of each. */
  readonly longest: { readonly life: number; readonly away: number; readonly frozen: number };
}

export class Program {
  readonly counts = noHarm();
  readonly failures: string[] = [];
  readonly #options: ProgramOptions;
  #running: RunningIncrep | undefined;
  /** What all its processes have said. */
  #before = '';

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  get log(): string {
    return this.#before + (this.#running?.stderr ?? '');
  }

  start(): void {
    const { args, directory, env } = this.#options;
    this.counts.started += 1;
    this.#running = startIncrep(args, { directory }, { env, timeout: NEVER });
  }

  /** Harm until the signal. Then it runs. */
  async loop(signal: AbortSignal): Promise<void> {
    const { random, longest } = this.#options;
    const wait = (seconds: number) => sleep(seconds * 1000, undefined, { signal }).catch(() => undefined);
    while (!signal.aborted) {
      await wait(random.between(5, longest.life));
      if (signal.aborted) return;
      const lot = random.next();
      if (lot < 0.2) {
        this.counts.frozen += 1;
        this.#running?.kill('SIGSTOP');
        await wait(random.between(3, longest.frozen));
        this.#running?.kill('SIGCONT');
        continue;
      }
      if (lot < 0.45) await this.stop();
      else await this.#kill();
      await wait(random.chance(0.7) ? 0 : random.between(1, longest.away));
      this.start();
    }
  }

  /** As a supervisor does. */
  async stop(): Promise<void> {
    this.counts.terminated += 1;
    this.#running?.kill('SIGTERM');
    const { exitCode, signal } = await this.#end();
    // Before its handler is in place, the signal itself ends the process.
    if (exitCode !== 0 && signal !== 'SIGTERM') this.#countAlone('after SIGTERM', exitCode ?? signal);
  }

  async #kill(): Promise<void> {
    this.counts.killed += 1;
    this.#running?.kill('SIGKILL');
    const { exitCode, signal } = await this.#end();
    if (signal !== 'SIGKILL') this.#countAlone('before SIGKILL', exitCode ?? signal);
  }

  /** A program that starts while the control database is away ends, and its supervisor starts it again. */
  #countAlone(when: string, how: number | string | undefined): void {
    if (how === UNREACHABLE) this.counts.unreachable += 1;
    else this.failures.push(`${this.#options.name}: ${when} it had ended with ${how}`);
  }

  async #end() {
    const ended = await this.#running?.wait();
    this.#before = this.log;
    this.#running = undefined;
    return { exitCode: ended?.exitCode, signal: ended?.signal };
  }
}
