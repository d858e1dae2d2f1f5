/** What is going on at a server and among processes, as their own views show it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import type pg from 'pg';

/** Asks again until the answer is yes. Fails after `timeout` milliseconds. */
export async function waitUntil(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  timeout = 20_000,
): Promise<void> {
  const deadline = Date.now() + timeout;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeout} ms in vain: ${what}`);
    await sleep(20);
  }
}

/** The statements that other sessions of this database run or hold open a transaction with. */
export async function activeQueries(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ query: string }>(
    `SELECT query FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
       AND state <> 'idle'`,
  );
  return rows.map(({ query }) => query);
}

export const waitForCopy = (pool: pg.Pool, table: string): Promise<void> =>
  waitUntil(`a COPY of ${table}`, async () =>
    (await activeQueries(pool)).some((query) => query.startsWith('COPY') && query.includes(table)),
  );

/** Command lines of the processes below `pid`, and of all those whose command line has `mark`. */
export async function processes(mark: string): Promise<string[]> {
  const { stdout } = await execa('ps', ['-eww', '-o', 'pid=,ppid=,args=']);
  return stdout.split('\n').filter((line) => line.includes(mark) && !line.includes('ps -eww'));
}
