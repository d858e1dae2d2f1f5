/** What an asynchronous commit leaves in memory is written by the WAL writer, at a moment that a test cannot choose. */
import process from 'node:process';
import type { Pool } from 'pg';

/** Stops it for good: after the crash that the test causes, the server kills it within five seconds. */
export async function stopWalWriter(server: Pool): Promise<void> {
  const { rows } = await server.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'`,
  );
  const [writer] = rows;
  if (!writer) throw new Error('the server has no WAL writer');
  process.kill(writer.pid, 'SIGSTOP');
}
