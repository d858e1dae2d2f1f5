/** What everybody on the machine, and everybody at the servers, can see of a run while it goes on. */
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect } from 'vitest';
import { startServer, type EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { waitForCopy, waitUntil } from '../support/activity.ts';
import { expectNoSecret } from '../support/canaries.ts';
import { processTree, type ProcessView } from '../support/descendants.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { oneIn, slowKind } from '../support/tier.ts';

/** Elsewhere there is no /proc to look at. */
const testOnLinux = process.platform === 'linux' ? testWithPgDump : () => undefined;

/** A server of its own that writes all it hears into its log, with both databases. */
async function talkativePair(server: EmbeddedServer): Promise<Pair> {
  const source = new pg.Pool({ connectionString: server.url('postgres') });
  source.on('error', () => undefined);
  await source.query('CREATE DATABASE copy');
  await source.query(ORDERS_SQL);
  await source.query(`INSERT INTO orders (id, total) SELECT n, n FROM generate_series(1, 30000) AS n`);
  const pair = await freshPair({ tables: [ORDERS_CONFIG] });
  const sides = ['SOURCE', 'DEST'].map((side) => ({
    [`${side}_HOST`]: server.host,
    [`${side}_PORT`]: String(server.port),
    [`${side}_USERNAME`]: server.user,
    [`${side}_PASSWORD`]: server.password,
    [`${side}_DB`]: side === 'SOURCE' ? 'postgres' : 'copy',
  }));
  await pair.setEnv(Object.assign({}, ...sides) as Record<string, string>);
  return { ...pair, source };
}

testOnLinux('no process shows a secret, in its command line or environment', async () => {
  await using pair = await freshPair({ tables: [ORDERS_CONFIG], sourceSql: ORDERS_SQL });
  await insertOrders(pair, 50_000);
  await using proxy = await faultProxy(pair.login('source'));
  await pair.setEnv({
    SOURCE_PORT: String(proxy.port),
    WEBHOOK_URL: 'http://127.0.0.1:1/hook/Path-Token-88',
    WEBHOOK_SECRET: 'Webhook-Secret-66',
  });
  proxy.throttle(2_000_000);
  await using running = startIncrep('sync -v', pair);
  const seen: ProcessView[] = [];
  let hasEnded = false;
  const end = running.wait().finally(() => (hasEnded = true));
  while (!hasEnded) {
    seen.push(...(await processTree(running.pid)));
    await sleep(10);
  }
  expect((await end).exitCode).toBe(0);
  const programs = new Set(seen.map(({ commandLine }) => commandLine.split('\n', 1)[0]?.split('/').at(-1)));
  expect([...programs]).toEqual(expect.arrayContaining(['node', 'pg_dump', 'pg_restore']));
  expect(seen.some(({ environment }) => environment.includes('PGPASSFILE='))).toBe(true);
  for (const { pid, commandLine, environment } of seen) {
    expectNoSecret(pair.directory, { [`the command line of ${pid}`]: commandLine });
    expectNoSecret(pair.directory, { [`the environment of ${pid}`]: environment });
    expect(environment).not.toContain('PGPASSWORD');
  }
});

testWithPgDump('no server shows a secret, in its views or its log', async () => {
  await using server = await startServer({
    name: 'talkative',
    settings: { log_statement: 'all', log_connections: true, log_error_verbosity: 'verbose' },
  });
  const pair = await talkativePair(server);
  try {
    const activity: string[] = [];
    await using running = startIncrep('sync -v', pair);
    let hasEnded = false;
    const end = running.wait().finally(() => (hasEnded = true));
    while (!hasEnded) {
      const { rows } = await pair.source.query('SELECT a::text FROM pg_stat_activity AS a');
      activity.push(JSON.stringify(rows));
      await sleep(10);
    }
    expect((await end).exitCode).toBe(0);
    await increp('check', pair, { env: { SOURCE_PASSWORD: `${server.password}!` } });
    const log = await readFile(server.logFile, 'utf8');
    expect(log).toContain('application_name=increp pg_dump');
    expect(log).toContain('password authentication failed');
    expect(activity.join()).toContain('increp pipeline');
    expectNoSecret(pair.directory, { pg_stat_activity: activity.join(), 'the log of the server': log });
  } finally {
    await pair.source.end();
    await pair[Symbol.asyncDispose]();
  }
});

slowKind(testWithPgDump).each(oneIn(2, ['SIGKILL', 'SIGTERM', 'nothing'] as const))(
  'the passfile is for its owner alone and gone before the rows flow; %s later leaves no secret behind',
  async (signal) => {
    await using pair = await freshPair({ tables: [ORDERS_CONFIG], sourceSql: ORDERS_SQL });
    await insertOrders(pair, 50_000);
    await using proxy = await faultProxy(pair.login('source'));
    await pair.setEnv({ SOURCE_PORT: String(proxy.port) });
    proxy.throttle(1_000_000);
    const TMPDIR = join(pair.directory, 'tmp');
    await mkdir(TMPDIR);
    await using running = startIncrep('sync', pair, { env: { TMPDIR } });
    const passfiles = async () =>
      (await readdir(TMPDIR, { recursive: true })).filter((name) => name.endsWith('pgpass'));
    await waitUntil('there is a passfile', async () => (await passfiles()).length === 1);
    const [name = ''] = await passfiles();
    const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
    expect([await modeOf(join(TMPDIR, name)), await modeOf(join(TMPDIR, name, '..'))]).toEqual([
      '600',
      '700',
    ]);
    await waitForCopy(pair.source, 'orders');
    await waitUntil('the passfile is gone', async () => (await passfiles()).length === 0);

    if (signal !== 'nothing') running.kill(signal);
    await proxy.resume();
    const { exitCode } = await running.wait();
    expect(exitCode).toBe({ SIGKILL: undefined, SIGTERM: 143, nothing: 0 }[signal]);
    expect(await passfiles()).toEqual([]);
    if (signal !== 'SIGKILL') expect(await readdir(TMPDIR)).toEqual([]);
  },
);
