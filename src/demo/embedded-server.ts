/** A real Postgres server for the demo and the tests. It leaves nothing behind. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants, lchown, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { IncrepError } from '../errors.ts';
import { startGuard } from './guard.ts';
import type { Guard } from './guard.ts';
import { findNativeDirectory, runnableBinaries, SERVER_ENVIRONMENT } from './postgres-binaries.ts';
import type { Binaries } from './postgres-binaries.ts';
import { findServerUser } from './server-user.ts';
import type { ServerUser } from './server-user.ts';

const HOST = '127.0.0.1';
const SUPERUSER = 'postgres';
const START_SECONDS = 60;
const PORTS_TO_TRY = 10;
const APPEND_NO_LINK = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

export type ServerSettings = Readonly<Record<string, string | number | boolean>>;

export interface ServerOptions {
  /** Part of the name of the directory, so that a person can tell the servers apart. */
  readonly name: string;
  /** Lines of postgresql.conf, before the settings below. */
  readonly settings?: ServerSettings;
  /** The directory with bin/, lib/ and share/ of another Postgres version. */
  readonly nativeDirectory?: string;
  /** Variables of the server, beside its own. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface EmbeddedServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** A superuser. */
  readonly user: string;
  readonly password: string;
  /** For example `15.18`. */
  readonly version: string;
  readonly pid: number;
  /** The directory of this server. `stop` removes it. */
  readonly directory: string;
  readonly dataDirectory: string;
  readonly logFile: string;
  url(database: string): string;
  /** Stops the server and removes its directory. It may be called again. */
  stop(): Promise<void>;
  /** Keeps the server running after this process ends. `stop` does nothing from then on. */
  detach(): Promise<void>;
}

/** Speed is more important than durability, because the server is removed after a crash anyway. */
const DEFAULT_SETTINGS: ServerSettings = {
  listen_addresses: HOST,
  unix_socket_directories: '',
  fsync: false,
  synchronous_commit: false,
  full_page_writes: false,
  shared_buffers: '128MB',
  max_connections: 100,
  max_prepared_transactions: 20,
  wal_level: 'replica',
  max_wal_size: '2GB',
  // Files in the data directory instead of /dev/shm, which is small in containers and is not cleaned up after a kill.
  dynamic_shared_memory_type: 'mmap',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: false,
  log_line_prefix: '%m [%p] %q%u@%d ',
};

export async function startServer(options: ServerOptions): Promise<EmbeddedServer> {
  if (process.platform === 'win32') {
    throw new IncrepError('NOT_SUPPORTED', {
      what: 'increp cannot start a Postgres server of its own on Windows',
      next: 'Use WSL, or your own servers.',
    });
  }
  const installed = options.nativeDirectory ?? findNativeDirectory();
  const user = await findServerUser();
  const directory = await newDirectoryName(options.name, user);
  // The guard creates the directory. From here on it stops the server and removes the directory, however this process
  // ends.
  const guard = await startGuard(directory, user);
  try {
    const binaries = await runnableBinaries(installed, join(directory, 'native'), user);
    const home: ServerSetup = { directory, binaries, user, guard, environment: options.environment ?? {} };
    const password = await initialise(home, { ...DEFAULT_SETTINGS, ...options.settings });
    const running = await launch(home);
    return embeddedServer(home, { ...running, password });
  } catch (error) {
    await guard.release();
    throw error;
  }
}

interface ServerSetup {
  readonly directory: string;
  readonly binaries: Binaries;
  readonly user: ServerUser | undefined;
  readonly guard: Guard;
  readonly environment: Readonly<Record<string, string>>;
}

const dataOf = (home: ServerSetup) => join(home.directory, 'data');
const logOf = (home: ServerSetup) => join(home.directory, 'server.log');
const pidFileOf = (home: ServerSetup) => join(dataOf(home), 'postmaster.pid');

function embeddedServer(home: ServerSetup, running: Running & { readonly password: string }): EmbeddedServer {
  const { child, port, pid, password } = running;
  let ending: Promise<void> | undefined;
  const end = async () => {
    await home.guard.release();
    // There is something left to do only if the guard was killed. QUIT releases the shared memory.
    child.ref();
    child.kill('SIGQUIT');
    await Promise.race([hasEnded(child), sleep(2000, undefined, { ref: false })]);
    child.kill('SIGKILL');
    await hasEnded(child);
    await rm(home.directory, { recursive: true, force: true });
  };
  const stop = () => (ending ??= end());
  return {
    host: HOST,
    port,
    user: SUPERUSER,
    password,
    version: home.binaries.version,
    pid,
    directory: home.directory,
    dataDirectory: dataOf(home),
    logFile: logOf(home),
    url: (database) =>
      `postgres://${SUPERUSER}:${encodeURIComponent(password)}@${HOST}:${port}/${encodeURIComponent(database)}`,
    stop,
    detach: () => (ending ??= home.guard.dismiss()),
    [Symbol.asyncDispose]: stop,
  };
}

async function newDirectoryName(name: string, user: ServerUser | undefined): Promise<string> {
  const parent = user && !(await isOpenToAll(tmpdir())) ? '/tmp' : tmpdir();
  return join(parent, `increp-${name.replace(/[^\w-]/g, '_')}-${randomBytes(6).toString('hex')}`);
}

/** Whether other users can enter the directory, according to the modes of it and of its parents. */
async function isOpenToAll(directory: string): Promise<boolean> {
  const path = resolve(directory);
  const found = await stat(path).catch(() => undefined);
  // A missing directory cannot be used either. The code that uses it reports that.
  if (!found) return true;
  if ((found.mode & 0o001) === 0) return false;
  return path === dirname(path) || isOpenToAll(dirname(path));
}

/** Creates the data directory. Returns the password of the superuser. */
async function initialise(home: ServerSetup, settings: ServerSettings): Promise<string> {
  const password = randomBytes(18).toString('base64url');
  const passwordFile = join(home.directory, 'password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
  if (home.user) await lchown(passwordFile, home.user.uid, home.user.gid);
  const logStart = await sizeOf(logOf(home));
  const initdb = await spawnLogged(home, 'initdb', [
    `--pgdata=${dataOf(home)}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
    '--no-instructions',
  ]);
  home.guard.watch('initdb', initdb.pid);
  initdb.ref();
  await hasEnded(initdb);
  home.guard.watch('initdb', undefined);
  await rm(passwordFile);
  if (initdb.exitCode !== 0) throw startFailed('initdb failed', await logFrom(home, logStart));
  await appendAsUser(home, join(dataOf(home), 'postgresql.conf'), `\n${configurationText(settings)}\n`);
  return password;
}

/** Written as its owner. Another user may have replaced the file by a link, and root must not follow it. */
async function appendAsUser(home: ServerSetup, file: string, text: string): Promise<void> {
  const { user } = home;
  await execa('/bin/sh', ['-c', 'cat >>"$0"', file], {
    ...user,
    cwd: '/',
    env: SERVER_ENVIRONMENT,
    input: text,
  });
}

const configurationText = (settings: ServerSettings) =>
  Object.entries(settings)
    .map(([name, value]) => `${name} = '${String(value).replaceAll('\\', '\\\\').replaceAll("'", "''")}'`)
    .join('\n');

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
  readonly pid: number;
}

/** Another process may take the port before the server starts. Then increp tries another port. */
async function launch(home: ServerSetup): Promise<Running> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const logStart = await sizeOf(logOf(home));
    const child = await spawnLogged(home, 'postgres', ['-D', dataOf(home), '-p', String(port)]);
    home.guard.watch('server', child.pid);
    // Otherwise the guard could mistake a later process with the same number for the server.
    void hasEnded(child).then(() => home.guard.watch('server', undefined));
    if (await isReady(home, child)) return { child, port, pid: child.pid ?? 0 };
    const log = await logFrom(home, logStart);
    if (attempt < PORTS_TO_TRY && log.includes('Address already in use')) continue;
    throw startFailed('the Postgres server did not start', log);
  }
}

/** A session of its own, because Ctrl-C in the terminal must not stop the server. Its output goes to a file. */
async function spawnLogged(
  home: ServerSetup,
  program: string,
  args: readonly string[],
): Promise<ChildProcess> {
  const log = await open(logOf(home), APPEND_NO_LINK, 0o600);
  try {
    const child = spawn(join(home.binaries.directory, 'bin', program), args, {
      ...home.user,
      detached: true,
      cwd: home.directory,
      env: { ...SERVER_ENVIRONMENT, ...home.environment },
      stdio: ['ignore', log.fd, log.fd],
    });
    // A program that cannot be started has no pid and no 'exit' event.
    child.once('error', () => undefined);
    child.unref();
    return child;
  } finally {
    await log.close();
  }
}

/** The eighth line of postmaster.pid shows the state of the server. pg_ctl reads it too. */
async function isReady(home: ServerSetup, child: ChildProcess): Promise<boolean> {
  const deadline = Date.now() + START_SECONDS * 1000;
  while (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    const lines = (await readFile(pidFileOf(home), 'utf8').catch(() => '')).split('\n');
    if (lines[0] === String(child.pid) && lines[7]?.trim() === 'ready') return true;
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      await hasEnded(child);
      return false;
    }
    await sleep(20);
  }
  return false;
}

async function hasEnded(child: ChildProcess): Promise<void> {
  const hasStarted = child.pid !== undefined;
  if (hasStarted && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** The port was free when it was checked. Another process may take it before it is used. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const logFrom = async (home: ServerSetup, start: number) =>
  (await readFile(logOf(home), 'utf8')).slice(start);

const sizeOf = async (file: string) => (await stat(file).catch(() => undefined))?.size ?? 0;

function startFailed(what: string, log: string): IncrepError {
  const tail = log.trim().split('\n').slice(-15).join('\n');
  return new IncrepError('CONNECTION_FAILED', {
    what: `${what}: ${tail || 'the log of the server is empty'}`,
    next: 'Check the message of the server. Common causes are a full disk, too little shared memory and a missing library.',
  });
}
