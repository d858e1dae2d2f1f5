/** Stops a server of `startServer`, and starts it again on the same port. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import process from 'node:process';
import type { EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { startGuard } from '../../src/demo/guard.ts';
import {
  findNativeDirectory,
  runnableBinaries,
  SERVER_ENVIRONMENT,
} from '../../src/demo/postgres-binaries.ts';
import { findServerUser } from '../../src/demo/server-user.ts';
import { waitUntil } from './activity.ts';

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Ends all sessions, as `pg_ctl stop` does. */
export async function stopServer({ pid }: EmbeddedServer): Promise<void> {
  process.kill(pid, 'SIGINT');
  await waitUntil('the end of the server', () => Promise.resolve(!isAlive(pid)));
}

/** It stops with the result, and leaves its files to the server that was stopped. */
export async function startAgain({ dataDirectory, port }: EmbeddedServer): Promise<AsyncDisposable> {
  const user = await findServerUser();
  const directory = `/tmp/increp-test-again-${randomBytes(6).toString('hex')}`;
  const guard = await startGuard(directory, user);
  const binaries = await runnableBinaries(findNativeDirectory(), join(directory, 'native'), user);
  const child = spawn(
    join(binaries.directory, 'bin', 'postgres'),
    ['-D', dataDirectory, '-p', String(port)],
    { ...user, detached: true, cwd: directory, env: SERVER_ENVIRONMENT, stdio: 'ignore' },
  );
  guard.watch('server', child.pid);
  return { [Symbol.asyncDispose]: () => guard.release() };
}
