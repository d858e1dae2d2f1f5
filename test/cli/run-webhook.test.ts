/** What the webhook is told of runs, and that nothing it does ever changes one. Nowhere is a secret. */
import { createHmac } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';
import { webhookServer } from '../support/webhook-server.ts';

const two = {
  tables: ['orders', 'others'].map((name) => ({ ...ORDERS_CONFIG, name })),
  sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE others (LIKE orders INCLUDING ALL)`,
};

interface Message {
  readonly type: string;
  readonly message: string;
  readonly text: string;
  readonly timestamp: string;
  readonly data: Record<string, unknown>;
}

test('a run that succeeds, fails in part, or fails is told as such, once', async () => {
  await using pair = await freshPair(two);
  await using hook = await webhookServer(200);
  await pair.setEnv({ WEBHOOK_URL: hook.url });
  const pipeline = `pipeline_${pair.login('source').database}`;
  await sync(pair);
  await pair.source.query('DROP TABLE others');
  await trySync(pair);
  await trySync(pair, 'others');
  const messages = hook.requests.map((request) => request.json<Message>());
  expect(messages.map(({ type }) => type)).toEqual(['run.succeeded', 'run.partial', 'run.failed']);
  expect(messages[0]).toMatchObject({
    message: expect.stringMatching(
      new RegExp(`^Pipeline ${pipeline} succeeded\\. Summary: 2 tables ok, 10 rows inserted`),
    ),
    timestamp: expect.stringMatching(/^20.*Z$/),
    data: { type: 'summary', pipeline, status: 'ok', tables: [{ name: 'orders' }, { name: 'others' }] },
  });
  expect(messages[0]?.text).toBe(messages[0]?.message);
  expect(messages[2]?.message).toMatch(
    new RegExp(`^Pipeline ${pipeline} failed.*others: .*no longer has public.others`),
  );
  expect(new Set(hook.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(3);
});

test('a difference that is known before a run is a warning of its message', async () => {
  await using pair = await freshPair('orders');
  await using hook = await webhookServer(200);
  await sync(pair);
  await pair.destination.query('DELETE FROM orders WHERE id = 1');
  await increp('verify', pair);
  await pair.setEnv({ WEBHOOK_URL: hook.url });
  const { summary } = await sync(pair);
  await increp('verify --repair', pair);
  await sync(pair);
  const [different, equal] = hook.requests.map((request) => request.json<Message>());
  const warning = 'a comparison found differences in orders (1 missing) before this run, at ';
  expect(different?.message).toContain(` Warning: ${warning}`);
  expect(different?.data['warnings']).toEqual([expect.stringContaining(warning)]);
  expect(summary.warnings).toEqual(different?.data['warnings']);
  expect(equal?.message).not.toContain('Warning: ');
});

test('a run that ends before any table is told of too', async () => {
  await using pair = await freshPair('orders');
  await using hook = await webhookServer(200);
  await pair.setEnv({ WEBHOOK_URL: hook.url, SOURCE_PASSWORD: 'wrong password' });
  const { exitCode, summary } = await trySync(pair);
  expect(exitCode).toBe(77);
  expect(summary.error).toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  expect(hook.requests.map((request) => request.json<Message>())).toMatchObject([
    { type: 'run.failed', data: { error: { code: 'AUTHENTICATION_FAILED' } } },
  ]);
});

test('a run that its configuration prevents is reported, and is in the local history and the metrics', async () => {
  await using pair = await freshPair('orders');
  await using hook = await webhookServer(200);
  const metrics = join(pair.directory, 'shop.prom');
  await pair.setEnv({ WEBHOOK_URL: hook.url, HEALTHCHECK_URL: hook.url, METRICS_TEXTFILE: metrics });
  await sync(pair);
  const before = hook.requests.length;
  const path = join(pair.directory, 'tables-config.json');
  const tables = await readFile(path, 'utf8');
  await writeFile(path, '{ bad');
  expect((await increp('sync --quiet', pair)).exitCode).toBe(78);
  const [webhook, healthcheck, ...others] = hook.requests.slice(before);
  expect(others).toEqual([]);
  expect(webhook?.json<Message>()).toMatchObject({
    type: 'run.failed',
    text: expect.stringContaining('tables-config.json, line 1, column 3: ') as string,
    data: { error: { code: 'CONFIG_INVALID' } },
  });
  expect(healthcheck?.path).toMatch(/\/78\?rid=/);
  const text = await readFile(metrics, 'utf8');
  expect(text).toMatch(/^increp_last_run_success\{.*\} 0$/m);
  expect(text).toMatch(/^increp_last_run_exit_code\{.*\} 78$/m);
  expect(text).toMatch(/^increp_table_last_success_timestamp_seconds\{.*"orders".*\} \d/m);
  await writeFile(path, tables);
  expect((await increp('history --failed', pair)).stdout).toMatch(
    / failed +none [^]*CONFIG_INVALID 1 problem/,
  );
});

test('a load that no command requested is a warning of the message, its data and the history', async () => {
  await using pair = await freshPair('orders');
  await using hook = await webhookServer(200);
  await sync(pair);
  await pair.setEnv({ WEBHOOK_URL: hook.url });
  await pair.destination.query('TRUNCATE orders');
  await increp('sync --quiet', pair);
  const message = hook.requests[0]?.json<Message>();
  const warning = 'no command requested this load, and the table was empty until its end';
  expect(message?.text).toMatch(/Summary: 1 table ok \(1 with warnings\), /);
  expect(message?.text).toContain(`Warning: orders: ${warning}.`);
  expect(message?.data['tables']).toMatchObject([{ warnings: [warning] }]);
  expect((await increp('history --limit 1', pair)).stdout).toContain('1 ok (1 with warnings)');
});

test('status warns of a webhook and a healthcheck that fail, until they accept a message', async () => {
  await using pair = await freshPair('orders');
  await using hook = await webhookServer(200);
  const webhook = {
    ...{ WEBHOOK_URL: hook.url, HEALTHCHECK_URL: hook.url },
    WEBHOOK_EVENTS: 'run.succeeded',
  };
  await pair.setEnv(webhook);
  await sync(pair);
  const healthy = await increp('status', pair);
  expect(healthy.stderr).toBe('');
  hook.answerWith(404);
  await sync(pair);
  const { stderr } = await increp('status', pair);
  for (const what of ['the webhook', 'the healthcheck'])
    expect(stderr).toMatch(
      new RegExp(
        `^warning \\(\\d+ s ago\\): ${what} at http://\\S+ did not accept .*; the last accepted message was \\d+ s ago\\n  next: `,
        'm',
      ),
    );
  const error = {
    message: expect.stringContaining('404') as string,
    failed_at: expect.stringMatching(/Z$/) as string,
    last_accepted_at: expect.stringMatching(/Z$/) as string,
  };
  const json = async () => (await increp('status --json', pair)).json<object>();
  expect(await json()).toMatchObject({ webhook_error: error, healthcheck_error: error });
  expect((await increp('check', pair)).stdout).not.toContain('report.outcomes');
  hook.answerWith(200);
  await increp('check --webhook', pair);
  expect(await json()).toMatchObject({ webhook_error: null, healthcheck_error: error });
  await sync(pair);
  expect((await increp('status', pair)).stderr).toBe('');

  hook.answerWith(404);
  await sync(pair);
  await pair.setEnv({ WEBHOOK_URL: 'http://127.0.0.1:1/', HEALTHCHECK_URL: '' });
  // It is another webhook.
  expect(await json()).toMatchObject({ webhook_error: null, healthcheck_error: null });
});

test('the signature checks out over the raw body', async () => {
  await using pair = await freshPair('orders');
  await using hook = await webhookServer(500, 200);
  const key = Buffer.from('0123456789abcdef0123456789abcdef');
  await pair.setEnv({
    WEBHOOK_URL: hook.url,
    WEBHOOK_SECRET: `whsec_${key.toString('base64')}`,
    WEBHOOK_EVENTS: 'run.succeeded,table.synced',
  });
  await sync(pair);
  const [first, again, run] = hook.requests;
  expect(hook.requests.map((request) => request.json<Message>().type)).toEqual([
    'table.synced',
    'table.synced',
    'run.succeeded',
  ]);
  expect(again?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
  for (const { headers, rawBody } of [first, again, run].filter((request) => request !== undefined)) {
    const signed = `${headers['webhook-id'] as string}.${headers['webhook-timestamp'] as string}.${rawBody.toString('utf8')}`;
    const expected = createHmac('sha256', key).update(signed).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${expected}`);
  }
});

const REFUSAL = /"level":"warn".*the webhook at http:\/\/127\.0\.0\.1:\d+ did not accept/;

for (const [answer, said] of oneIn(2, [
  ['hang', REFUSAL],
  ['reset', REFUSAL],
  [500, REFUSAL],
  [410, REFUSAL],
  // Its status is an answer; the body is not waited for.
  ['endless', /run finished/],
] as const)) {
  test(`a webhook that answers with "${answer}" changes nothing but the log`, async () => {
    await using pair = await freshPair('orders');
    await using hook = await webhookServer(answer);
    await pair.setEnv({ WEBHOOK_URL: hook.url });
    const result = await sync(pair, '', { timing: { delivery: { attempt: 0.2 } } });
    expect(result.summary.status).toBe('ok');
    await expectSameRows(pair, 'orders');
    expect(result.stderr).toMatch(said);
    expect(result.stderr).not.toContain('/hook');
  });
}

/** Everything that a run leaves behind or sends, as one text. */
async function traces(pair: Pair): Promise<string> {
  const directory = join(pair.directory, 'sync-state');
  const files = await readdir(directory);
  const texts = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')));
  const { rows } = await pair.destination.query(
    `SELECT r::text FROM _increp_runs r UNION ALL SELECT s::text FROM _increp_state s`,
  );
  return texts.join() + JSON.stringify(rows);
}

test('passwords, secrets and tokens are in no output, file, row or message', async () => {
  await using pair = await freshPair(two);
  await using hook = await webhookServer(200);
  const canaries = ["source'canary/1", 'dest canary:2', 'whsec_Y2FuYXJ5LXRocmVl', 'canary-token-4'] as const;
  const [source, destination, secret, token] = canaries;
  const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
  await pair.source.query(`ALTER ROLE ${pair.login('source', 'increp').user} PASSWORD ${quoted(source)}`);
  await pair.destination.query(
    `ALTER ROLE ${pair.login('destination', 'increp').user} PASSWORD ${quoted(destination)}`,
  );
  await pair.setEnv({
    ...{ SOURCE_PASSWORD: source, DEST_PASSWORD: destination, WEBHOOK_SECRET: secret },
    WEBHOOK_URL: `${hook.url}?token=${token}`,
    WEBHOOK_EVENTS: 'run.succeeded,run.partial,run.failed,table.synced,table.failed',
  });
  const said: string[] = [];
  const run = async (args: string, env: Record<string, string> = {}) => {
    const { stdout, stderr } = await increp(args, pair, { env });
    said.push(stdout, stderr);
  };
  await run('sync -v', { LOG_LEVEL: 'trace' });
  // Errors that repeat what they were given: a value of the table, a server's message, a failed login.
  await pair.source.query(`DROP TABLE others; INSERT INTO orders (id, note) VALUES (50, ${quoted(source)})`);
  await pair.destination.query(`ALTER TABLE orders ADD CHECK (note NOT LIKE '%canary%')`);
  await run('sync -v --json');
  await run('sync -v', { SOURCE_PASSWORD: `${source}x` });
  await run('sync -v', { WEBHOOK_URL: `http://127.0.0.1:1/hook?token=${token}` });
  await run('check --json');
  await run('plan');
  await run('status');
  said.push(
    await traces(pair),
    ...hook.requests.map(({ rawBody, headers }) => rawBody.toString('utf8') + JSON.stringify(headers)),
  );
  for (const canary of canaries) {
    expect(said.filter((text) => text.includes(canary) || text.includes(encodeURIComponent(canary)))).toEqual(
      [],
    );
  }
  expect(said.join()).toContain('***');
});
