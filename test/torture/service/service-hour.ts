/**
 * `npm run service-hour`: two workers and \`increp serve\` on two sets of pipelines, under writers, kills, freezes, failing
 * networks and crashes of the control database. At the end, every table must be equal, and every due run accounted for.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client, Pool } from 'pg';
import { startServer } from '../../../src/demo/embedded-server.ts';
import { buildProject } from '../../support/build.ts';
import { startIncrep } from '../../support/increp-process.ts';
import { openPair, type OpenPair } from '../../support/open-pair.ts';
import { faultProxy, type FaultProxy } from '../../support/proxy.ts';
import { startServers } from '../../support/servers.ts';
import { evenIfLost, isLost } from '../lost-connection.ts';
import { randomFor } from '../random.ts';
import { seeMoment, violationsAtTheEnd, type Seen } from './accounts.ts';
import { PIPELINES, type ScenarioPipeline } from './pipelines.ts';
import { Program } from './program.ts';
import { makeTroubles } from './troubles.ts';
import { runWriter } from './writers.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(randomInt(1, 1_000_000)) },
    writers: { type: 'string', default: '2' },
    keep: { type: 'boolean', default: false },
  },
});

type OpenPipeline = ScenarioPipeline & { readonly open: OpenPair };

async function main(): Promise<number> {
  const seconds = Number(values.minutes) * 60;
  process.stderr.write(`seed ${values.seed}, ${values.writers} writers at each source, ${seconds} s\n`);
  await buildProject();
  const [first, destination] = await startServers();
  await using second = await startServer({ name: 'second-source' });
  await using control = await startServer({ name: 'control' });
  const workspace = await mkdtemp(join(tmpdir(), 'increp-service-'));
  try {
    await using toDestination = await proxyOf(destination.url);
    const pipelines: OpenPipeline[] = [];
    for (const pipeline of PIPELINES) {
      const place = {
        sourceServerUrl: pipeline.set === 'a' ? first.url : second.url('postgres'),
        destinationServerUrl: destination.url,
        workspace,
      };
      const open = await openPair({ sourceSql: pipeline.sourceSql }, place);
      await open.pair.writeTables(pipeline.config);
      await open.pair.setEnv({ DEST_HOST: toDestination.host, DEST_PORT: String(toDestination.port) });
      pipelines.push({ ...pipeline, open });
    }
    const failures = await run(
      { pipelines, workspace, toDestination, controlUrl: control.url('postgres') },
      seconds,
    );
    for (const { open } of pipelines) await open.cleanUp();
    return failures.length === 0 ? 0 : 1;
  } finally {
    await Promise.all([first, destination].map((server) => server.stop()));
    if (!values.keep) await rm(workspace, { recursive: true, force: true });
  }
}

const proxyOf = (url: string): Promise<FaultProxy> => {
  const { hostname: host, port } = new URL(url);
  return faultProxy({ host, port: Number(port) });
};

interface Scenario {
  readonly pipelines: readonly OpenPipeline[];
  readonly workspace: string;
  readonly toDestination: FaultProxy;
  readonly controlUrl: string;
}

/** Returns what is wrong at the end. */
async function run(scenario: Scenario, seconds: number): Promise<readonly string[]> {
  const { pipelines, workspace, toDestination, controlUrl } = scenario;
  const seed = Number(values.seed);
  const root = join(workspace, 'pipelines');
  await mkdir(root);
  for (const { name, open } of pipelines) await symlink(open.pair.directory, join(root, name));
  const { url, role } = await createControlDatabase(controlUrl);
  const superuser = new URL(controlUrl);
  superuser.pathname = `/${role}`;
  const control = new Pool({ connectionString: superuser.href, max: 3 });
  control.on('error', () => undefined);
  // A crash of the server ends clients that are in use, too.
  control.on('connect', (client) => client.on('error', () => undefined));
  const life = Math.min(60, seconds / 6);
  const programOf = async (name: string, args: string) => {
    const network = await proxyOf(url);
    const through = new URL(url);
    through.host = `${network.host}:${network.port}`;
    const env = { SERVE_DATABASE_URL: through.href, LOG_FORMAT: 'json' };
    const random = randomFor(seed, name);
    const longest = { life, away: 20, frozen: 70 };
    const words = [...args.split(' '), '--pipelines', root];
    return { network, program: new Program({ name, args: words, directory: root, env, random, longest }) };
  };
  const [serve, ...workers] = await Promise.all([
    programOf('serve', 'serve --listen 127.0.0.1:0 --jobs 2 --drain 3s'),
    programOf('worker 1', 'work --jobs 3 --drain 3s'),
    programOf('worker 2', 'work --jobs 2 --drain 0s'),
  ]);
  const programs = [serve, ...workers].map(({ program }) => program);
  // Workers refuse a control database without tables.
  serve.program.start();
  await waitFor(
    control,
    'the tables of the service',
    `SELECT count(*) = 5 AS so FROM increp_serve.pipelines`,
  );
  workers.forEach(({ program }) => program.start());
  await waitFor(
    control,
    'the first load',
    `SELECT count(*) = 8 AS so FROM increp_serve.tables WHERE state = 'ok'`,
  );
  const end = new AbortController();
  const { signal } = end;
  const surroundings = {
    ...{
      control,
      toDestination,
      toControl: [serve.network, ...workers.map(({ network }) => network)] as const,
    },
    ...{ pairs: asList(pipelines.map(({ open }) => open.pair)), big: pairOf(pipelines, 'a-big') },
  };
  const writers = pipelines.flatMap(({ name, write, open }) =>
    Array.from({ length: Number(values.writers) }, (_, number) =>
      runWriter({
        ...{ write, signal, longest: 8000, pool: open.pair.source },
        random: randomFor(seed, `writer ${name} ${number}`),
      }),
    ),
  );
  const work = Promise.all([
    makeTroubles(surroundings, {
      random: randomFor(seed, 'troubles'),
      ...{ signal, longest: { calm: life, gone: 70 } },
    }),
    watch(control, signal),
    Promise.all(writers),
    ...programs.map((program) => program.loop(signal)),
  ]);
  await Promise.race([sleep(seconds * 1000, undefined, { signal }), work]);
  end.abort();
  const [troubles, seen, written] = await work;
  const last = await settle(control);
  await serve.program.stop();
  await waitFor(
    control,
    'the end of all jobs',
    `SELECT count(*) = 0 AS so FROM increp_queue.job WHERE state <= 'active'`,
  );
  await Promise.all(workers.map(({ program }) => program.stop()));
  const failures = [
    ...seen.violations.map((text) => `during the run: ${text}`),
    ...last,
    ...(await violationsAtTheEnd(control)),
    ...programs.flatMap((program) => program.failures),
    ...programs.flatMap(bugsIn),
    ...(await Promise.all(pipelines.map(differences))).flat(),
  ];
  const facts = {
    transactions: written.reduce((sum, count) => sum + count, 0),
    ...{ troubles, moments: seen.moments, mostActive: seen.mostActive },
    programs: Object.fromEntries(
      programs.map(({ counts }, index) => [['serve', 'worker 1', 'worker 2'][index], counts]),
    ),
    ...(await accounts(control)),
  };
  process.stdout.write(
    `${JSON.stringify(facts, null, 2)}\n${failures.length === 0 ? 'all tables are equal, and every due run is accounted for' : failures.join('\n')}\n`,
  );
  if (failures.length > 0)
    for (const [index, { log }] of programs.entries())
      await writeFile(join(workspace, `program-${index}.log`), log);
  await control.end();
  for (const { network } of [serve, ...workers]) await network[Symbol.asyncDispose]();
  return failures;
}

const asList = <T>(list: readonly T[]): readonly [T, ...T[]] => list as readonly [T, ...T[]];

function pairOf(pipelines: readonly OpenPipeline[], wanted: string): OpenPair['pair'] {
  const found = pipelines.find(({ name }) => name === wanted);
  if (!found) throw new Error(`no pipeline ${wanted}`);
  return found.open.pair;
}

async function createControlDatabase(serverUrl: string) {
  const role = `control_${randomBytes(4).toString('hex')}`;
  const password = randomBytes(9).toString('hex');
  const admin = new Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
  await admin.query(`CREATE DATABASE ${role} OWNER ${role}`);
  await admin.end();
  const url = new URL(serverUrl);
  Object.assign(url, { username: role, password, pathname: `/${role}` });
  return { url: url.href, role };
}

async function waitFor(control: Pool, what: string, sql: string, seconds = 240): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const { rows } = await control.query<{ so: boolean }>(sql).catch(() => ({ rows: [] }));
    if (rows[0]?.so === true) return;
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`);
    await sleep(200);
  }
}

/** Looks at the control database all the time. While it is away, there is nothing to see. */
async function watch(control: Pool, signal: AbortSignal): Promise<Seen> {
  let seen: Seen = { moments: 0, mostActive: { a: 0, b: 0 }, violations: [] };
  while (!signal.aborted) {
    const before = seen.violations.length;
    seen = await seeMoment(control, seen).catch((error: unknown) => {
      if (!isLost(error)) throw error;
      return seen;
    });
    for (const violation of seen.violations.slice(before))
      process.stderr.write(`${new Date().toISOString()} ${violation}\n`);
    await sleep(300);
  }
  return seen;
}

/** Every schedule has a run that was requested after the last write, and that has ended. */
async function settle(control: Pool): Promise<readonly string[]> {
  const { rows } = await evenIfLost(() => control.query<{ now: string }>('SELECT now()::text AS now'));
  const since = rows[0]?.now ?? '';
  try {
    await waitFor(
      control,
      'a run of each schedule after the last write',
      `SELECT NOT EXISTS (SELECT FROM increp_serve.schedules s WHERE NOT EXISTS (
         SELECT FROM increp_serve.runs r WHERE r.pipeline = s.pipeline AND r.entry = s.entry
           AND r.requested_at > '${since}' AND r.state = 'ok')) AS so`,
      400,
    );
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** The first line of each kind: without its numbers, such as times and ports. */
const bugsIn = ({ log }: Program): readonly string[] => {
  const lines = log.split('\n').filter((line) => line.includes('"INTERNAL"'));
  return [...new Map(lines.toReversed().map((line) => [line.replaceAll(/\d+/g, ''), line])).values()];
};

/** As the command finds them, and by counting the rows of append mode. */
async function differences({ name, appended, open: { pair } }: OpenPipeline): Promise<readonly string[]> {
  await using verifying = startIncrep('verify --json', pair, { timeout: 120_000 });
  const { exitCode, stdout, stderr } = await verifying.wait();
  const found = exitCode === 0 ? [] : [`${name}: verify ended with ${exitCode}\n${stdout}${stderr}`];
  for (const table of appended) {
    const sql = `SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids,
      md5(string_agg(concat_ws(',', id, kind, updated_at), ';' ORDER BY id)) AS digest FROM ${table}`;
    const [source, destination] = [
      await pair.source.query<object>(sql),
      await pair.destination.query<object>(sql),
    ];
    const [ours, theirs] = [JSON.stringify(destination.rows[0]), JSON.stringify(source.rows[0])];
    if (ours !== theirs) found.push(`${name}.${table}: the source has ${theirs}, the destination ${ours}`);
  }
  return found;
}

async function accounts(control: Pool): Promise<object> {
  const { rows } = await control.query<object>(
    `SELECT (SELECT jsonb_object_agg(state, count) FROM (SELECT state, count(*) FROM increp_serve.runs GROUP BY 1) r) AS runs,
       (SELECT sum(missed) FROM increp_serve.runs) AS missed,
       (SELECT jsonb_object_agg(state, count) FROM (SELECT state, count(*) FROM increp_serve.attempts GROUP BY 1) a) AS attempts,
       (SELECT jsonb_object_agg(code, count) FROM (SELECT code, count(*) FROM increp_serve.events GROUP BY 1) e) AS events,
       (SELECT jsonb_object_agg(phase, count) FROM (SELECT coalesce(phase, 'none') AS phase, count(*)
          FROM increp_serve.attempts WHERE state = 'crashed' GROUP BY 1) c) AS "crashedIn"`,
  );
  return rows[0] ?? {};
}

process.exitCode = await main();
