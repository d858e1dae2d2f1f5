/** Exclusive locks on tables and views. Readers that queue behind a waiting lock request wait only briefly. */
import type pg from 'pg';
import { IncrepError } from '../../errors.ts';
import { codeOf } from '../../postgres/identity.ts';
import { backoffSeconds, sleep } from '../../backoff.ts';
import { printName, type TableName } from '../../schema/names.ts';
import { lockTimeout } from '../../sql/reshape.ts';
import type { Timing } from '../../timing.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

export type LockTiming = Pick<Timing, 'lockTimeout' | 'exclusiveLock'>;

interface WantedLocks {
  readonly table: TableName;
  /** Statements that take one lock each, in the order in which a reader takes the locks. */
  readonly locks: readonly string[];
  readonly timing: LockTiming;
  /** Called once, if there is a wait. */
  readonly onWait?: () => Promise<void>;
}

/** True if all locks were granted at once. Otherwise it holds none of them. */
export async function tryLockAlone(
  client: pg.ClientBase,
  locks: readonly string[],
  { lockTimeout: usual, exclusiveLock: { one, all } }: LockTiming,
): Promise<boolean> {
  await client.query(`SAVEPOINT increp_lock; ${lockTimeout(one)}`);
  const deadline = performance.now() + all * 1000;
  try {
    for (const lock of locks) {
      if (performance.now() > deadline) return await giveBack(client);
      await client.query(lock);
    }
  } catch (error) {
    if (codeOf(error) !== SQLSTATE.lockNotAvailable) throw error;
    return giveBack(client);
  }
  await client.query(`RELEASE SAVEPOINT increp_lock; ${lockTimeout(usual)}`);
  return true;
}

async function giveBack(client: pg.ClientBase): Promise<false> {
  await client.query('ROLLBACK TO SAVEPOINT increp_lock; RELEASE SAVEPOINT increp_lock');
  return false;
}

/** @throws IncrepError LOCK_TIMEOUT if other sessions hold the locks for longer than the time limit */
export async function lockAlone(
  client: pg.ClientBase,
  { table, locks, timing, onWait }: WantedLocks,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { total, retryDelay } = timing.exclusiveLock;
  const deadline = performance.now() + total * 1000;
  for (let attempt = 1; ; attempt += 1) {
    if (await tryLockAlone(client, locks, timing)) return;
    if (performance.now() > deadline) throw stillBusy(table, total);
    if (attempt === 1) await onWait?.();
    await sleep(backoffSeconds(attempt, retryDelay), signal);
  }
}

const stillBusy = (table: TableName, seconds: number): IncrepError =>
  new IncrepError('LOCK_TIMEOUT', {
    what: `increp has to alter ${printName(table)}, but other sessions have held locks on it, or on a view of it, for ${seconds} s`,
    next: 'Nothing was changed. Wait for the long queries on the table (pg_stat_activity shows them), then run increp again.',
    isTransient: false,
  });
