/** A real pgbouncer in front of the servers of a pair, for tests of poolers; see pg-dump.ts for machines without it. */
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'vitest';
import { freePort } from '../../src/demo/embedded-server.ts';
import { startGuard } from '../../src/demo/guard.ts';
import { findServerUser } from '../../src/demo/server-user.ts';
import { waitUntil } from './activity.ts';
import type { Pair } from './open-pair.ts';
import type { Side } from './pair-databases.ts';

/** Debian puts it where an ordinary user's PATH does not look. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin`;

const hasPgbouncer = (): boolean =>
  spawnSync('pgbouncer', ['--version'], { stdio: 'ignore', env: { PATH } }).status === 0;

export const testWithPgbouncer = test.skipIf(!process.env['CI'] && !hasPgbouncer());

interface PgbouncerOptions {
  readonly mode: 'transaction' | 'statement' | 'session';
  /** Server connections of each database. */
  readonly poolSize: number;
}

export interface Pgbouncer extends AsyncDisposable {
  readonly port: number;
  /** Of both databases, by the roles that increp uses. */
  url(side: Side): string;
}

/** Serves both databases of the pair, and sends successive transactions to successive server connections. */
export async function startPgbouncer(pair: Pair, options: PgbouncerOptions): Promise<Pgbouncer> {
  const user = await findServerUser();
  const directory = join(user ? '/tmp' : tmpdir(), `increp-pgbouncer-${randomBytes(6).toString('hex')}`);
  const guard = await startGuard(directory, user);
  const port = await freePort();
  const files = { 'pgbouncer.ini': configuration(pair, directory, port, options), 'users.txt': users(pair) };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(directory, name), text, { mode: 0o600, flag: 'wx' });
    if (user) await chown(join(directory, name), user.uid, user.gid);
  }
  const child = spawn('pgbouncer', ['--quiet', join(directory, 'pgbouncer.ini')], {
    ...user,
    env: { PATH },
    stdio: 'ignore',
  });
  child.once('error', () => undefined);
  const ended = once(child, 'exit').catch(() => undefined);
  guard.watch('server', child.pid);
  const log = join(directory, 'log');
  try {
    await waitUntil('pgbouncer listens', async () => {
      if (child.pid === undefined || child.exitCode !== null)
        throw new Error(`pgbouncer ended: ${await readFile(log, 'utf8').catch(String)}`);
      return isListening(port);
    });
  } catch (error) {
    await guard.release();
    throw error;
  }
  return {
    port,
    url: (side) => {
      const { user: name, password, database } = pair.login(side, 'increp');
      return `postgres://${name}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
    },
    [Symbol.asyncDispose]: async () => {
      // At once, where INT would wait for clients.
      child.kill('SIGTERM');
      await ended;
      guard.watch('server', undefined);
      await guard.release();
    },
  };
}

/** The pipeline reaches that side through it. */
export const goThrough = (pair: Pair, { port }: Pgbouncer, sides: readonly Side[]): Promise<void> =>
  pair.setEnv(
    Object.fromEntries(
      sides.flatMap((side) => {
        const prefix = side === 'source' ? 'SOURCE' : 'DEST';
        return [
          [`${prefix}_HOST`, '127.0.0.1'],
          [`${prefix}_PORT`, String(port)],
        ];
      }),
    ),
  );

const SIDES = ['source', 'destination'] as const;

/** server_round_robin makes a session be another one with each transaction; nothing is reset in between. */
function configuration(pair: Pair, directory: string, port: number, options: PgbouncerOptions): string {
  const databases = SIDES.map((side) => {
    const { database, host, port: serverPort } = pair.login(side, 'increp');
    return `${database} = host=${host} port=${serverPort}`;
  });
  return `[databases]
${databases.join('\n')}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(directory, 'users.txt')}
logfile = ${join(directory, 'log')}
pool_mode = ${options.mode}
default_pool_size = ${options.poolSize}
server_reset_query_always = 0
server_round_robin = 1
query_wait_timeout = 20
`;
}

const users = (pair: Pair): string =>
  SIDES.map((side) => pair.login(side, 'increp'))
    .map(({ user, password }) => `"${user}" "${password.replaceAll('"', '""')}"\n`)
    .join('');

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
