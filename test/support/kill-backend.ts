import process from 'node:process';
import type { Pool } from 'pg';

/** SIGKILL to one backend. The server ends all others and recovers. */
export async function killBackend(server: Pool): Promise<void> {
  const victim = await server.connect();
  const { rows } = await victim.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  victim.on('error', () => undefined);
  process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
  victim.release(true);
}
