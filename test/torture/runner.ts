/** Runs the real command again and again, and kills it again and again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { SummaryJson } from '../../src/report/summary-json.ts';
import { startIncrep, type IncrepResult } from '../support/increp-process.ts';
import type { Pair } from '../support/open-pair.ts';
import type { Side } from '../support/pair-databases.ts';
import { isLost } from './lost-connection.ts';
import type { Random } from './random.ts';
import { noSyncs } from './sync-counts.ts';

export type Place = Pick<Pair, 'directory' | 'source' | 'destination' | 'login'> & {
  /** As its sessions call themselves. */
  readonly pipeline: string;
};
type Harm = 'none' | 'SIGKILL' | 'SIGTERM' | 'disconnect';

const LOCKED = 75;
/** Some tables failed. */
const PARTIAL = 3;
/** More of them tell nothing new. */
const MANY_FAILURES = 10;
/** Milliseconds before and after a failover in which whatever fails has failed of it. */
const AFTERMATH = 3000;

export class Runner {
  readonly #pair: Place;
  readonly #random: Random;
  /** Seconds of a run. */
  readonly #longest: number;
  readonly counts = noSyncs();
  /** What no run may do, harmed or not. */
  readonly failures: string[] = [];
  /** Milliseconds of an unharmed run, smoothed. */
  #typical = 1000;
  #failedOverAt: number | undefined;
  /** Why a table failed in the last unharmed run. */
  #troubled: ReadonlyMap<string, string> = new Map();

  constructor(pair: Place, random: Random, longest = 60) {
    this.#pair = pair;
    this.#random = random;
    this.#longest = longest;
  }

  /** `afterFirst`: when all tables are there. */
  async loop(signal: AbortSignal, afterFirst: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    let isFirst = true;
    while (!signal.aborted && this.failures.length < MANY_FAILURES) {
      const harm = this.counts.completed === 0 ? 'none' : this.#nextHarm();
      const { settle, patience } = this.#nextOptions();
      await this.#runOnce(`sync --json --wait-transactions ${settle} --wait-lock ${patience}`, harm);
      if (isFirst && this.counts.completed > 0) {
        isFirst = false;
        await afterFirst();
      }
    }
  }

  /** The source becomes another server now. */
  failOver(): void {
    this.#failedOverAt = performance.now();
  }

  /** Without harm; a session that a killed run has left may hold the lock for a moment. */
  async lastSync(): Promise<IncrepResult> {
    return this.#runOnce('sync --json --wait-transactions 5s --wait-lock 20s', 'none');
  }

  /** Differences, as the command finds them itself. */
  async verify(): Promise<IncrepResult> {
    await using running = startIncrep('verify --json', this.#pair);
    return await running.wait();
  }

  #nextHarm(): Harm {
    const lot = this.#random.next();
    if (lot < 0.34) return 'SIGKILL';
    if (lot < 0.4) return 'SIGTERM';
    return lot < 0.5 ? 'disconnect' : 'none';
  }

  #nextOptions() {
    return {
      settle: this.#random.pick(['0s', '200ms', '1s']),
      patience: this.#random.pick(['0s', '5s']),
    };
  }

  async #runOnce(args: string, harm: Harm): Promise<IncrepResult> {
    const startedAt = performance.now();
    const delay = this.#random.next() * this.#typical * 1.1;
    await using running = startIncrep(args, this.#pair, { timeout: this.#longest * 1000 });
    const end = running.wait();
    if (harm !== 'none') {
      await Promise.race([sleep(delay), end]);
      if (harm === 'disconnect') await this.#disconnect();
      else running.kill(harm);
    }
    const result = await end;
    const isFailedOver = this.#failedOverAt !== undefined && this.#failedOverAt > startedAt - AFTERMATH;
    this.#count(result, harm, isFailedOver);
    if (harm === 'none') this.#typical = this.#typical * 0.8 + (performance.now() - startedAt) * 0.2;
    return result;
  }

  async #disconnect(): Promise<void> {
    const side = this.#random.pick<Side>(['source', 'destination']);
    const { user } = this.#pair.login(side, 'increp');
    await endSessions(this.#pair[side], user, this.#pair.pipeline).catch((error: unknown) => {
      // The session that was to end others may go with a failover.
      if (!isLost(error)) throw error;
    });
  }

  #count(result: IncrepResult, harm: Harm, isFailedOver: boolean): void {
    const { counts } = this;
    counts.runs += 1;
    if (result.isTimedOut) this.failures.push(`a run took more than ${this.#longest} s\n${result.stderr}`);
    if (harm === 'disconnect') counts.disconnected += 1;
    if (result.signal === 'SIGKILL') return void (counts.killed += 1);
    if (harm === 'SIGTERM' && result.exitCode !== 0) return this.#countTerminated(result);
    if (result.exitCode === LOCKED) return void (counts.locked += 1);
    if (result.exitCode === 0) return this.#countRows(result);
    if (harm === 'disconnect') return;
    if (isFailedOver) return void (counts.failedOver += 1);
    if (result.exitCode === PARTIAL) return this.#countTroubled(result);
    this.failures.push(`an unharmed run ended with ${result.exitCode ?? result.signal}\n${result.stderr}`);
  }

  /** Somebody may empty a table, or write to two of them, in the middle of a run; the next run must get past that. */
  #countTroubled(result: IncrepResult): void {
    this.counts.failed += 1;
    const { tables } = result.lines().at(-1) as unknown as SummaryJson;
    const troubled = new Map(
      tables.flatMap(({ name, error }) => (error ? [[name, error.code] as const] : [])),
    );
    for (const [table, code] of troubled)
      if (this.#troubled.get(table) === code)
        this.failures.push(`${table} failed twice in a row with ${code}\n${result.stderr}`);
    this.#troubled = troubled;
  }

  #countTerminated(result: IncrepResult): void {
    this.counts.terminated += 1;
    // Before its handler is in place, the signal itself ends the process.
    if (result.signal === 'SIGTERM' || [143, LOCKED, PARTIAL].includes(result.exitCode ?? 0)) return;
    this.failures.push(
      `after SIGTERM a run ended with ${result.exitCode ?? result.signal}\n${result.stderr}`,
    );
  }

  #countRows(result: IncrepResult): void {
    const { counts } = this;
    counts.completed += 1;
    this.#troubled = new Map();
    const summary = result.lines().at(-1) as unknown as SummaryJson;
    if (
      summary.tables.some(({ warnings }) => warnings.some((text) => text.includes('may still bring rows')))
    ) {
      counts.fenced += 1;
    }
    for (const table of summary.tables) {
      counts.rowsRead += table.rows_read;
      counts.rowsInserted += table.rows_inserted;
      counts.rowsUpdated += table.rows_updated;
      counts.rowsUnchanged += table.rows_unchanged;
      counts.rowsDeleted += table.rows_deleted;
    }
  }
}

export const endSessions = (pool: Pool, user: string, pipeline: string) =>
  pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE usename = $1 AND application_name LIKE 'increp %' AND strpos(application_name, $2) > 0`,
    [user, pipeline],
  );
