/** Several destinations, as each command tells of them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseExposition, valueOf } from '../support/exposition.ts';
import { increp } from '../support/increp.ts';
import { faultProxy } from '../support/proxy.ts';
import { inTerminal } from '../support/pseudo-terminal.ts';
import { freshSeveral, type SeveralPair } from '../support/several.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { webhookServer } from '../support/webhook-server.ts';
import { slowTest } from '../support/tier.ts';

interface Told {
  readonly name: string;
  readonly destination: string;
}

const labels = (tables: readonly Told[]) => tables.map(({ name, destination }) => `${destination} ${name}`);
const BOTH = ['one orders', 'two orders'];

/** "two" behind a door that is shut. */
async function withoutTwo(pair: SeveralPair) {
  const door = await faultProxy(pair.copy('two').side.superuser);
  await door.refuse();
  await pair.setUrls({ two: pair.copy('two').url(door) });
  return door;
}

slowTest('plan, check, status, history and verify tell of each of them, under a heading', async () => {
  await using pair = await freshSeveral('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  for (const command of ['plan', 'check', 'status', 'history', 'verify']) {
    const { stdout, stderr, exitCode } = await increp(command, pair);
    expect(stdout.match(/^destination \w+$/gm), command + stderr).toEqual([
      'destination one',
      'destination two',
    ]);
    expect(stdout.split('destination two')[1], command).toMatch(/orders|1 run|0 errors/);
    expect(exitCode, command + stdout + stderr).toBe(0);
  }
  const printed = async (command: string) =>
    (await increp(command, pair)).stdout.match(/\[SERVER_INFO\]|\d+ notes? as above/g);
  expect(await printed('check')).toEqual(['[SERVER_INFO]', expect.stringMatching(/notes? as above$/)]);
  expect(await printed('check -v')).toEqual(['[SERVER_INFO]', '[SERVER_INFO]']);
});

slowTest('as JSON each of them names the destination of each table', async () => {
  await using pair = await freshSeveral('orders');
  const { lines } = await sync(pair);
  expect(lines<{ type: string; destinations?: string[] }>()[0]).toMatchObject({
    type: 'run_started',
    tables: ['orders'],
    destinations: ['one', 'two'],
  });
  expect(labels(lines<Told & { type: string }>().filter(({ type }) => type === 'table')).toSorted()).toEqual(
    BOTH,
  );
  const none = { error: null };
  const plan = (await increp('plan --json', pair)).json<{ destinations: object[]; tables: Told[] }>();
  expect(plan.destinations).toEqual([
    { name: 'one', ...none },
    { name: 'two', ...none },
  ]);
  expect(labels(plan.tables)).toEqual(BOTH);
  const check = (await increp('check --json', pair)).json<{ findings: { destination: string }[] }>();
  expect(new Set(check.findings.map(({ destination }) => destination))).toEqual(new Set(['one', 'two']));
  const status = (await increp('status --json', pair)).json<{ destinations: object[]; tables: Told[] }>();
  expect(status.destinations).toEqual(
    ['one', 'two'].map((name) => ({ name, destination_error: null, source_error: null })),
  );
  expect(labels(status.tables)).toEqual(BOTH);
  const history = (await increp('history --json', pair)).json<{
    runs: { destination: string; run_id: string }[];
  }>();
  expect(history.runs.map(({ destination }) => destination)).toEqual(['one', 'two']);
  // One run.
  expect(new Set(history.runs.map(({ run_id }) => run_id)).size).toBe(1);
  const verify = (await increp('verify --json', pair)).json<{ tables: (Told & { status: string })[] }>();
  expect(labels(verify.tables)).toEqual(BOTH);
  expect(verify.tables.map((table) => table.status)).toEqual(['equal', 'equal']);
});

test('--destination chooses some of them', async () => {
  await using pair = await freshSeveral({ names: ['one', 'two', 'three'], tables: [ORDERS_CONFIG] });
  await pair.source.query(
    'CREATE TABLE orders (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now()); INSERT INTO orders VALUES (1)',
  );
  const first = await sync(pair, '--destination three --destination one');
  expect(first.summary.tables.map(({ destination }) => destination)).toEqual(['one', 'three']);
  const status = (await increp('status --destination two --json', pair)).json<{
    tables: { state: string }[];
  }>();
  expect(status.tables.map(({ state }) => state)).toEqual(['never synced']);
  const reset = await increp('reset orders --destination one', pair);
  expect(reset.stdout).toMatch(/^destination one\norders: reset/);
  const plan = (await increp('plan --json', pair)).json<{ tables: { action: string }[] }>();
  expect(plan.tables.map(({ action }) => action)).toEqual(['reset', 'initial', 'incremental']);
});

test('what all destinations need is one command, and what one needs is permitted for it alone', async () => {
  await using pair = await freshSeveral({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, deletes: 'hard' }] });
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id > 2');
  const [failed] = (await trySync(pair, '--deletes')).summary.tables.filter(
    ({ destination }) => destination === 'two',
  );
  const shared = 'increp sync orders --deletes --force';
  expect(failed?.error?.hint).toContain(shared);
  for (const args of ['status', 'plan', 'check'])
    expect(new Set((await increp(args, pair)).stdout.match(/increp sync .*/g))).toEqual(new Set([shared]));
  expect((await increp('verify', pair)).stdout).toContain('increp verify orders --repair --force\n');
  const command = 'increp sync --destination two orders --deletes --force';
  expect((await increp('plan --destination two', pair)).stdout).toContain(command);
  expect((await increp('verify --repair --destination two', pair)).stdout).toContain(
    'increp verify --destination two orders --repair --force',
  );
  expect((await increp(command.replace('increp ', ''), pair)).exitCode).toBe(0);
  expect((await increp('status --destination one', pair)).stdout).toMatch(/^failing/m);
  await pair.setEnv({ PIPELINE_NAME: 'other' });
  for (const args of ['reset orders --destination two', 'check --destination two']) {
    const { stdout, stderr } = await increp(args, pair);
    expect(`${stdout}${stderr}`).toContain(' increp reset --destination two orders --force\n');
  }
});

test('a name that there is not is refused, with the one that was probably meant', async () => {
  await using pair = await freshSeveral('orders');
  const history = await increp('history oders', pair);
  expect(history.stdout).toBe('');
  expect(history.stderr.match(/no table "oders"/g)).toHaveLength(1);
  const { exitCode, stderr } = await increp('sync --destination onne', pair);
  expect(exitCode).toBe(64);
  expect(stderr).toContain('this pipeline has no destination "onne"; did you mean "one"?');
  expect(stderr).toContain('next: The destinations are: one, two.');
});

slowTest('a destination that is away is told in its place, and the others beside it', async () => {
  await using pair = await freshSeveral('orders');
  await sync(pair);
  await using door = await withoutTwo(pair);
  expect(door.connections).toBe(0);
  const plan = await increp('plan --json', pair);
  expect(plan.exitCode).toBe(3);
  expect(plan.json()).toMatchObject({
    destinations: [
      { name: 'one', error: null },
      { name: 'two', error: { code: 'CONNECTION_FAILED' } },
    ],
    tables: [{ name: 'orders', destination: 'one' }],
  });
  const verify = await increp('verify', pair);
  expect(verify.exitCode).toBe(3);
  expect(verify.stdout).toMatch(/destination one\n.*orders/);
  expect(verify.stderr).toContain('CONNECTION_FAILED');
  const check = await increp('check', pair);
  expect(check.exitCode).toBe(3);
  expect(check.stdout.split('destination two')[1]).toContain('CONNECTION_FAILED');
  const status = await increp('status --json', pair);
  expect(status.json()).toMatchObject({
    destinations: [
      { name: 'one', destination_error: null },
      { name: 'two', destination_error: { code: 'CONNECTION_FAILED' } },
    ],
  });
});

slowTest('a person reads which destination a line is about, and one count at the end', async () => {
  await using pair = await freshSeveral('orders');
  await sync(pair);
  await using door = await withoutTwo(pair);
  expect(door.connections).toBe(0);
  const { stdout, stderr, exitCode } = await increp('sync', pair);
  expect(exitCode).toBe(3);
  expect(stdout).toMatch(/ok +one: orders +incremental/);
  expect(stdout).toMatch(/FAILED +two: orders/);
  expect(stdout).toMatch(/1 table ok, 1 failed \(one: 1 ok; two: 1 failed\) in/);
  expect(stderr).toMatch(/^\[20[^\]]*\] WARN: two: .*trying again in/m);
  const { stderr: json } = await increp('sync -v', pair, { env: { LOG_FORMAT: 'json' } });
  const log = json.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as object]));
  expect(log).toContainEqual(
    expect.objectContaining({ destination: 'two', msg: expect.stringContaining('trying again') as string }),
  );
  expect(log).toContainEqual(expect.objectContaining({ destination: 'one', table: 'orders', msg: 'done' }));
  const quiet = await increp('sync --quiet', pair);
  expect(quiet.stdout).toMatch(/FAILED +two: orders[^]*last success: 20/);
  expect(quiet.stdout).not.toContain('one: orders');
});

slowTest('one run is one POST, which names the destination of each table', async () => {
  await using pair = await freshSeveral('orders');
  await using server = await webhookServer();
  await pair.setEnv({ WEBHOOK_URL: server.url });
  await sync(pair);
  const [request] = await server.waitForRequests(1);
  expect(server.requests).toHaveLength(1);
  expect(request?.json<{ data: { tables: Told[] } }>()).toMatchObject({
    type: 'run.succeeded',
    message: expect.stringContaining('2 tables ok, 20 rows inserted'),
    data: {
      destinations: [
        { name: 'one', status: 'ok' },
        { name: 'two', status: 'ok' },
      ],
    },
  });
  expect(labels(request?.json<{ data: { tables: Told[] } }>().data.tables ?? [])).toEqual(BOTH);
});

slowTest('metrics have a label for the destination, and counters of each', async () => {
  await using pair = await freshSeveral('orders');
  await pair.setEnv({ METRICS_TEXTFILE: 'increp.prom' });
  await sync(pair);
  await insertOrders(pair, 2);
  await using door = await withoutTwo(pair);
  expect(door.connections).toBe(0);
  await trySync(pair);
  const series = parseExposition(await readFile(join(pair.directory, 'increp.prom'), 'utf8'));
  const of = (name: string, destination: string) =>
    valueOf(series, `increp_${name}`, {
      ...{ destination, table: 'orders' },
      ...(name === 'table_rows_total' && { operation: 'inserted' }),
    });
  expect([of('table_rows_total', 'one'), of('table_rows_total', 'two')]).toEqual([12, 10]);
  expect([of('table_consecutive_failures', 'one'), of('table_consecutive_failures', 'two')]).toEqual([0, 1]);
  expect(valueOf(series, 'increp_last_run_exit_code', {})).toBe(3);
});

test('config shows them, and no secret', async () => {
  await using pair = await freshSeveral('orders');
  const { stdout } = await increp('config', pair);
  expect(stdout).toMatch(/DEST_URLS +\*\*\* +\.env/);
  const { user, host, port, database } = pair.copy('one').side.increp;
  expect(stdout.replaceAll(/ +/g, ' ')).toContain(
    `Destinations\n one ${user}@${host}:${port}/${database} schema public DEST_URLS`,
  );
  expect((await increp('config --json', pair)).json()).toMatchObject({
    destinations: [{ name: 'one', schema: 'public', from: 'DEST_URLS' }, { name: 'two' }],
  });
});

test('URLs of variables, which tables-config.json names', async () => {
  await using pair = await freshSeveral('orders');
  await pair.setEnv({
    DEST_URLS: undefined,
    COPY_A_URL: pair.copy('one').url(),
    COPY_B_URL: pair.copy('two').url(),
  });
  await pair.writeTables({
    destinations: [
      { name: 'a', url_env: 'COPY_A_URL' },
      { name: 'b', url_env: 'COPY_B_URL' },
    ],
    tables: [ORDERS_CONFIG],
  });
  const { summary } = await sync(pair);
  expect(summary.destinations?.map(({ name }) => name)).toEqual(['a', 'b']);
  await pair.expectAllSame('orders');
});

test('TAB completes their names', async () => {
  await using pair = await freshSeveral('orders');
  const { stdout } = await increp(['__complete', 'fish', 'sync', '--destination', ''], pair);
  expect(stdout).toBe('one\ntwo\n');
});

slowTest('the live line says of which destination it tells', async () => {
  await using pair = await freshSeveral({
    tables: [{ ...ORDERS_CONFIG, initial_load: 'copy' }],
    sourceSql: `CREATE TABLE orders (id bigint PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
      INSERT INTO orders SELECT i, repeat('note ', 20) || i FROM generate_series(1, 40000) i; ANALYZE orders`,
  });
  await using slow = await faultProxy(pair.login('source'));
  slow.throttle(1_000_000);
  await pair.setEnv({ SOURCE_PORT: String(slow.port) });
  await using terminal = inTerminal('sync', pair);
  const line = await terminal.waitForLine(/^\[1\/2\] (one|two): orders: copying about \d+%/);
  expect(line).toContain('orders');
  await slow.resume();
});
