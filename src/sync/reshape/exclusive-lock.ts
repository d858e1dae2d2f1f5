/** Tables and views for ourselves alone, without making readers wait for long while we wait for others. */
import type pg from 'pg';
import { IncrepError } from '../../errors.ts';
import { LOCK_TIMEOUT_SECONDS } from '../../postgres/database.ts';
import { codeOf } from '../../postgres/identity.ts';
import { backoffSeconds, sleep } from '../../retry.ts';
import { printName, type TableName } from '../../schema/names.ts';
import { lockTimeout } from '../../sql/reshape.ts';

/**
 * Readers queue behind whoever waits for such a lock, and a reader whom we make wait while we wait for him is a
 * deadlock, for which the server ends one of us after a second (deadlock_timeout). So all is taken within less, or given
 * back.
 */
const ONE_LOCK_SECONDS = 0.2;
const ALL_LOCKS_SECONDS = 0.6;
/** How long we come back for it in all. */
const PATIENCE_SECONDS = 60;

/** SQLSTATE. */
const LOCK_NOT_AVAILABLE = '55P03';

interface Wanted {
  readonly table: TableName;
  /** Statements that take one lock each, in the order in which a reader takes them. */
  readonly locks: readonly string[];
  readonly patienceSeconds?: number;
  /** Told once, where it has to wait at all. */
  readonly onWait?: () => Promise<void>;
}

/** True when all were granted at once; otherwise none is held. */
export async function tryLockAlone(client: pg.ClientBase, locks: readonly string[]): Promise<boolean> {
  await client.query(`SAVEPOINT increp_lock; ${lockTimeout(ONE_LOCK_SECONDS)}`);
  const deadline = performance.now() + ALL_LOCKS_SECONDS * 1000;
  try {
    for (const lock of locks) {
      if (performance.now() > deadline) return await giveBack(client);
      await client.query(lock);
    }
  } catch (error) {
    if (codeOf(error) !== LOCK_NOT_AVAILABLE) throw error;
    return giveBack(client);
  }
  await client.query(`RELEASE SAVEPOINT increp_lock; ${lockTimeout(LOCK_TIMEOUT_SECONDS)}`);
  return true;
}

async function giveBack(client: pg.ClientBase): Promise<false> {
  await client.query('ROLLBACK TO SAVEPOINT increp_lock; RELEASE SAVEPOINT increp_lock');
  return false;
}

/** @throws IncrepError TABLE_BUSY, when others have not let go for a minute */
export async function lockAlone(
  client: pg.ClientBase,
  { table, locks, patienceSeconds = PATIENCE_SECONDS, onWait }: Wanted,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = performance.now() + patienceSeconds * 1000;
  for (let attempt = 1; ; attempt += 1) {
    if (await tryLockAlone(client, locks)) return;
    if (performance.now() > deadline) throw stillBusy(table, patienceSeconds);
    if (attempt === 1) await onWait?.();
    await sleep(backoffSeconds(attempt, { base: 0.2, max: 4 }), signal);
  }
}

const stillBusy = (table: TableName, seconds: number): IncrepError =>
  new IncrepError('TABLE_BUSY', {
    what: `the new ${printName(table)} was ready, but others have held the old one, or a view on it, for ${seconds} s`,
    next: 'Nothing was changed. Run increp again when the long queries on it are over (pg_stat_activity shows them).',
    isTransient: false,
  });
