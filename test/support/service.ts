/** `increp serve` and `increp work` on a control database of their own, in this process or as children. */
import { randomBytes } from 'node:crypto';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { Client, escapeIdentifier, escapeLiteral, Pool } from 'pg';
import { inject } from 'vitest';
import { main } from '../../src/cli.ts';
import { IncrepError } from '../../src/errors.ts';
import { readServiceSettings } from '../../src/config/service/control-database.ts';
import { ControlDatabase } from '../../src/postgres/control-database.ts';
import { openQueue } from '../../src/serve/queue.ts';
import { COMPILE_CACHE } from './increp-process.ts';
import { waitUntil } from './activity.ts';
import { expectNoSecret, rememberSecrets } from './canaries.ts';
import { Captured } from './in-process.ts';
import type { Pair } from './pair.ts';
import { PROJECT } from './project.ts';
import { timingWith, type TimingChanges } from './timing.ts';
import { toolPath } from './tool-path.ts';
import { Readable } from 'node:stream';

/** The queue allows no shorter heartbeat. */
export const QUICK: TimingChanges = {
  serve: {
    claimPoll: 0.05,
    schedulePoll: 0.1,
    configPoll: 0.3,
    heartbeat: 10,
    beat: 1,
    monitor: 1,
    streamPoll: 0.1,
    idleTransaction: 1,
    respawn: { base: 0.1, max: 0.2 },
  },
};

export interface RunningService extends AsyncDisposable {
  readonly log: string;
  /** As by SIGTERM. Resolves to the exit code. */
  stop(): Promise<number>;
  waitForLog(text: string | RegExp, timeout?: number): Promise<void>;
}

export interface ChildService extends RunningService {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
}

export interface ControlPlace extends AsyncDisposable {
  readonly url: string;
  /** The directory of the pipelines. */
  readonly root: string;
  readonly pool: Pool;
  readonly database: string;
  /** Makes a directory for the pipeline. */
  add(name: string, pair: Pair): Promise<void>;
  /** Starts a command in this process. */
  start(args: string, options?: StartOptions): RunningService;
  /** Starts a process, with the same short waits. */
  spawn(args: string, options?: StartOptions): ChildService;
  rows<Row extends object = Record<string, unknown>>(sql: string): Promise<Row[]>;
  /** Waits for a result other than none and false. */
  until(sql: string, timeout?: number): Promise<void>;
}

interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly timing?: TimingChanges;
  /** Instead of the URL of the control database. */
  readonly url?: string;
}

const SCHEMAS = ['increp_serve', 'increp_queue'];

export async function controlPlace({ isOn = inject('destinationServerUrl') } = {}): Promise<ControlPlace> {
  const id = randomBytes(4).toString('hex');
  const [database, password] = [`control_${id}`, `Ctl-${randomBytes(9).toString('hex')}`];
  const name = escapeIdentifier(database);
  await asAdmin(isOn, [
    `CREATE ROLE ${name} LOGIN PASSWORD ${escapeLiteral(password)}`,
    `CREATE DATABASE ${name} OWNER ${name}`,
  ]);
  const { hostname, port } = new URL(isOn);
  const url = `postgres://${database}:${password}@${hostname}:${port}/${database}`;
  const root = join(inject('workspace'), `pipelines-${id}`);
  await mkdir(root);
  const superuser = new URL(isOn);
  superuser.pathname = `/${database}`;
  const pool = new Pool({ connectionString: superuser.href, max: 3 });
  pool.on('error', () => undefined);
  rememberSecrets(root, { SERVE_DATABASE_URL: url });
  const started: RunningService[] = [];
  const rows = async <Row extends object>(sql: string): Promise<Row[]> =>
    (await pool.query(`SET search_path = ${SCHEMAS.join(', ')}`).then(() => pool.query(sql))).rows as Row[];
  const environment = ({ env, url: other = url }: StartOptions) => ({
    PATH: toolPath(),
    HOME: root,
    LANG: 'C.UTF-8',
    LOG_FORMAT: 'json',
    SERVE_DATABASE_URL: other,
    ...env,
  });
  const wordsOf = (args: string) => [...args.split(/\s+/), '--pipelines', root];
  const ends = (service: RunningService) => {
    started.push(service);
    return service;
  };
  return {
    ...{ url, root, pool, database, rows },
    add: (pipeline, pair) => symlink(pair.directory, join(root, pipeline)),
    start: (args, options = {}) =>
      ends(startHere(wordsOf(args), root, environment(options), timingWith({ ...QUICK, ...options.timing }))),
    spawn: (args, options = {}) => {
      const timing = timingWith({ ...QUICK, ...options.timing });
      const child = startChild(wordsOf(args), root, environment(options), timing);
      started.push(child);
      return child;
    },
    until: async (sql, timeout = 30_000) => {
      const deadline = Date.now() + timeout;
      for (;;) {
        const found = await rows<Record<string, unknown>>(sql).catch(() => []);
        if (found.length > 0 && Object.values(found[0] ?? {}).every((value) => value !== false)) return;
        if (Date.now() > deadline)
          throw new Error(`never: ${sql}\n${started.map(({ log }) => log).join('\n---\n')}`);
        await sleep(30);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(started.map((service) => service[Symbol.asyncDispose]()));
      const texts = Object.fromEntries(started.map(({ log }, index) => [`log ${index}`, log]));
      expectNoSecret(undefined, { ...texts, control: await contentOf(pool) });
      await pool.end();
      await asAdmin(isOn, [`DROP DATABASE ${name} WITH (FORCE)`, `DROP ROLE ${name}`]);
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** The server may restart between two calls. */
async function asAdmin(url: string, statements: readonly string[]): Promise<void> {
  const admin = new Client({ connectionString: url });
  await admin.connect();
  for (const statement of statements) await admin.query(statement);
  await admin.end();
}

/** As `serve` opens them, for what only the API and workers do. */
export async function openControl(place: Pick<ControlPlace, 'root' | 'url'>) {
  await using made = new AsyncDisposableStack();
  const timing = timingWith(QUICK);
  const { control: settings } = await readServiceSettings(place.root, { SERVE_DATABASE_URL: place.url });
  const control = made.use(new ControlDatabase(settings, { program: 'serve', connections: 5, timing }));
  const options = { control, timing: timing.serve, onError: () => undefined };
  const queue = made.use(await openQueue(options, false));
  await queue.start();
  const owned = made.move();
  return { control, queue, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** All rows of all tables, to be searched for secrets. */
async function contentOf(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = ANY ($1)`,
    [SCHEMAS],
  );
  const texts = rows.map(async ({ name }) => (await pool.query(`SELECT t::text FROM ${name} t`)).rows);
  return JSON.stringify(await Promise.all(texts));
}

type Environment = Readonly<Record<string, string | undefined>>;
type ServiceTiming = ReturnType<typeof timingWith>;

function startHere(
  words: readonly string[],
  directory: string,
  environment: Environment,
  timing: ServiceTiming,
): RunningService {
  const [stdout, stderr] = [new Captured(), new Captured()];
  const stop = new AbortController();
  const end = main(words, {
    ...{ stdin: Readable.from(['']), stdout, stderr, environment, workingDirectory: directory, timing },
    signal: stop.signal,
  });
  let ended: number | undefined;
  void end.then((exitCode) => (ended = exitCode));
  const stopNow = async () => {
    stop.abort(new IncrepError('INTERRUPTED', { what: 'stopped by SIGTERM', next: '', exitCode: 143 }));
    return end;
  };
  return {
    get log() {
      return stdout.text + stderr.text;
    },
    stop: stopNow,
    waitForLog: (text, timeout) =>
      waitFor(() => stdout.text + stderr.text, text, { timeout, hasEnded: () => ended !== undefined }),
    [Symbol.asyncDispose]: async () => void (await stopNow()),
  };
}

function startChild(
  words: readonly string[],
  directory: string,
  environment: Environment,
  timing: ServiceTiming,
): ChildService {
  const program = join(PROJECT, 'test/support/timed-program.ts');
  const child = execa(process.execPath, [program, JSON.stringify(timing), ...words], {
    ...{
      cwd: directory,
      env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...environment },
      extendEnv: false,
      reject: false,
      forceKillAfterDelay: false,
    },
    all: true,
  });
  let [log, hasEnded] = ['', false];
  child.all.setEncoding('utf8').on('data', (text: string) => (log += text));
  const end = child.then((result) => {
    hasEnded = true;
    return result.exitCode ?? -1;
  });
  return {
    pid: child.pid ?? 0,
    get log() {
      return log;
    },
    kill: (signal) => void child.kill(signal),
    stop: () => {
      child.kill('SIGTERM');
      return end;
    },
    waitForLog: (text, timeout) => waitFor(() => log, text, { timeout, hasEnded: () => hasEnded }),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await end;
    },
  };
}

interface Patience {
  readonly timeout: number | undefined;
  readonly hasEnded: () => boolean;
}

async function waitFor(
  log: () => string,
  text: string | RegExp,
  { timeout = 30_000, hasEnded }: Patience,
): Promise<void> {
  const deadline = Date.now() + timeout;
  const isThere = () => (typeof text === 'string' ? log().includes(text) : text.test(log()));
  while (!isThere()) {
    if (hasEnded() || Date.now() > deadline) throw new Error(`the log never had ${text}:\n${log()}`);
    await sleep(20);
  }
}

/** The number of attempts says nothing of it: the first look after a load may find work of its own. */
export const waitForRows = (pair: Pair, table: string, rows: number): Promise<void> =>
  waitUntil(`${rows} rows of ${table}`, async () => {
    const { rowCount } = await pair.destination.query(`SELECT FROM ${table}`);
    return rowCount === rows;
  });
