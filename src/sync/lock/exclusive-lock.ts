/** Tables and views for ourselves alone, without making readers wait for long while we wait for others. */
import type pg from 'pg';
import { IncrepError } from '../../errors.ts';
import { codeOf } from '../../postgres/identity.ts';
import { backoffSeconds, sleep } from '../../retry.ts';
import { printName, type TableName } from '../../schema/names.ts';
import { lockTimeout } from '../../sql/reshape.ts';
import type { Timing } from '../../timing.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

export type LockTiming = Pick<Timing, 'lockTimeout' | 'exclusiveLock'>;

interface WantedLocks {
  readonly table: TableName;
  /** Statements that take one lock each, in the order in which a reader takes them. */
  readonly locks: readonly string[];
  readonly timing: LockTiming;
  /** Told once, where it has to wait at all. */
  readonly onWait?: () => Promise<void>;
}

/** True when all were granted at once; otherwise none is held. */
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

/** @throws IncrepError LOCK_TIMEOUT, when others have not let go for a minute */
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
    what: `${printName(table)} has to be altered, and other sessions have held it, or a view on it, for ${seconds} s`,
    next: 'Nothing was changed. Run increp again when the long queries on it are over (pg_stat_activity shows them).',
    isTransient: false,
  });
