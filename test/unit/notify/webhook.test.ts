import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import type { WebhookSettings } from '../../../src/config/settings.ts';
import type { RunEvent, RunSummary } from '../../../src/events.ts';
import { formatAttempts } from '../../../src/notify/http-delivery.ts';
import { webhookListener, type WebhookOptions } from '../../../src/notify/webhook.ts';
import { runMessage } from '../../../src/notify/webhook-message.ts';
import { redactor } from '../../../src/redact.ts';
import { DEFAULT_TIMING } from '../../../src/timing.ts';
import { failure, outcome, STARTED, summary } from '../report/outcomes.ts';
import { answer, endpoint, refusedUrl } from './endpoint.ts';

/** An attempt is cut short only where a test is about that: a busy machine must not make two of one. */
const LIMITS = {
  attempts: 3,
  attemptSeconds: 5,
  totalSeconds: 5,
  retryAfterSeconds: 10,
  retryDelay: DEFAULT_TIMING.retryDelay,
};
const ALL = ['run.succeeded', 'run.partial', 'run.failed', 'table.synced', 'table.failed'] as const;

function listen(url: string, webhook: Partial<WebhookSettings> = {}, options: Partial<WebhookOptions> = {}) {
  const failures: string[] = [];
  const waits: number[] = [];
  const listener = webhookListener({
    webhook: { url, secret: undefined, events: ALL, format: 'json', ...webhook },
    redact: (text) => text,
    onFailure: (message) => failures.push(message),
    sleep: async (seconds) => void waits.push(seconds),
    timing: DEFAULT_TIMING,
    limits: LIMITS,
    ...options,
  });
  return { listener, failures, waits };
}

const runStarted: RunEvent = {
  type: 'run-started',
  runId: 'run-1',
  pipeline: 'shop',
  startedAt: STARTED,
  tables: ['orders'],
};
const runFinished = (changes: Partial<RunSummary> = {}): RunEvent => ({
  type: 'run-finished',
  summary: summary(changes),
});
const tableFinished: RunEvent = { type: 'table-finished', outcome: outcome() };

const threeTables = ['a', 'b', 'c'].map((name) => outcome({ name, rowsInserted: 40, rowsUpdated: 1 }));

test('a run that succeeded is posted once, as JSON that a chat reads too', async () => {
  await using hook = await endpoint(answer(200));
  const { listener, failures } = listen(hook.url);
  await listener(runFinished({ tables: threeTables }));
  expect(failures).toEqual([]);
  expect(hook.received).toHaveLength(1);
  expect(hook.received[0]).toMatchObject({ method: 'POST', path: '/services/T0KEN?key=T0KEN' });
  expect(hook.received[0]?.headers).toMatchObject({ 'content-type': 'application/json' });
  expect(hook.received[0]?.headers).not.toHaveProperty('webhook-signature');
  const message =
    'Pipeline shop succeeded. Summary: 3 tables ok, 120 rows inserted, 3 updated, 0 deleted in 4.2 s.';
  expect(JSON.parse(hook.received[0]?.body ?? '')).toMatchObject({
    message,
    text: message,
    type: 'run.succeeded',
    timestamp: '2026-03-01T10:00:04.200Z',
    data: { type: 'summary', format_version: 1, status: 'ok', tables: [{ name: 'a' }, {}, {}] },
  });
});

test('tables with warnings are counted, and a few warnings are in the message, those of the run first', () => {
  const tables = [outcome({ name: 'a', warnings: ['1 row has no key'] }), outcome({ name: 'b' })];
  const warnings = ['the clock is wrong.', 'second', 'third', 'fourth'];
  const message = runMessage(summary({ tables, warnings }));
  expect(message).toContain(' Summary: 2 tables ok (1 with warnings), ');
  expect(message).toMatch(
    / in 4\.2 s\. Warning: the clock is wrong\. Warning: second\. Warning: third\. And 2 more warnings\.$/,
  );
});

test('only warnings that are due are in the text, each once with its tables', () => {
  const text = 'no command requested this load';
  const warned = (name: string, destination: string, warnings = [text]) =>
    outcome({ name, destination, warnings });
  const tables = [
    ...['a', 'b', 'c', 'd'].map((name) => warned(name, 'reports')),
    warned('a', 'warehouse', ['a standing one']),
  ];
  const run = summary({
    tables,
    destinations: [
      { name: 'reports', status: 'ok', error: undefined },
      { name: 'warehouse', status: 'ok', error: undefined },
    ],
  });
  const due = tables.slice(0, 4).map(({ name }) => ({ table: `reports: ${name}`, text }));
  const message = runMessage(run, due);
  expect(message).toContain(
    'Summary: 5 tables ok, 5 with warnings (reports: 4 ok, 4 with warnings; warehouse: 1 ok, 1 with warnings), ',
  );
  expect(message).toMatch(
    / s\. Warning: 4 tables at reports \(a, b, c and 1 more\): no command requested this load\.$/,
  );
});

test('a long warning keeps its next step', () => {
  const text = `${'x'.repeat(320)}. To compare now, run "increp sync --deletes"`;
  const tables = [outcome({ name: 'a', warnings: [text] })];
  expect(runMessage(summary({ tables }))).toContain(` Warning: a: ${text}.`);
});

test('one failure of many tables is described once', () => {
  const error = failure({ message: 'connection refused', hint: 'Start it' });
  const tables = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) =>
    outcome({ name, destination: 'reports', status: 'failed', error }),
  );
  expect(runMessage(summary({ status: 'partial', tables: [...tables, failedTable] }))).toMatch(
    / s\. 6 tables at reports \(a, b, c and 3 more\): connection refused\. Next: Start it\. items: permission denied\. /,
  );
});

test('the problems of a configuration are in the message, without the excerpts of its files', () => {
  const message =
    '2 problems in the configuration:\n  - .env: wrong\n  - line 1: bad\n      1 | { bad\n            ^';
  const error = failure({ message, hint: 'Fix it.' });
  expect(runMessage(summary({ status: 'failed', error }))).toContain(
    ' 2 problems in the configuration: - .env: wrong - line 1: bad. Next: Fix it.',
  );
});

const failedTable = outcome({
  name: 'items',
  status: 'failed',
  error: failure({ message: 'permission denied\nDETAIL: long', hint: 'GRANT SELECT.' }),
});

test.each([
  [
    'run.partial',
    { status: 'partial', tables: [outcome(), failedTable] },
    'Pipeline shop partly failed. Summary: 1 table ok, 1 failed, 0 rows inserted, 0 updated, 0 deleted ' +
      'in 4.2 s. items: permission denied. Next: GRANT SELECT.',
  ],
  [
    'run.failed',
    { status: 'failed', error: failure({ message: 'no connection.', hint: 'Start it' }) },
    'Pipeline shop failed. Summary: no tables, 0 rows inserted, 0 updated, 0 deleted in 4.2 s. ' +
      'no connection. Next: Start it.',
  ],
] as const)('%s names what failed and what to do', async (type, changes, message) => {
  await using hook = await endpoint(answer(204));
  await listen(hook.url).listener(runFinished(changes));
  expect(JSON.parse(hook.received[0]?.body ?? '')).toMatchObject({ type, message });
});

test('tables are told with the name of their run; skipped ones are not told', async () => {
  await using hook = await endpoint(answer(200));
  const { listener } = listen(hook.url);
  await listener(runStarted);
  await listener({ type: 'table-finished', outcome: outcome({ rowsInserted: 2 }) });
  await listener({ type: 'table-finished', outcome: failedTable });
  await listener({ type: 'table-finished', outcome: outcome({ status: 'skipped' }) });
  expect(hook.received.map(({ body }) => JSON.parse(body) as unknown)).toMatchObject([
    {
      type: 'table.synced',
      message:
        'Table orders of pipeline shop synced (incremental): 2 rows inserted, 0 updated, 0 deleted in 0.4 s.',
      timestamp: '2026-03-01T10:00:00.400Z',
      data: { run_id: 'run-1', pipeline: 'shop', name: 'orders', rows_inserted: 2 },
    },
    {
      type: 'table.failed',
      message: 'Table items of pipeline shop failed after 0.4 s. permission denied. Next: GRANT SELECT.',
    },
  ]);
});

test('only what was chosen is sent', async () => {
  await using hook = await endpoint(answer(200));
  const { listener } = listen(hook.url, { events: ['run.failed'] });
  await listener(tableFinished);
  await listener(runFinished());
  expect(hook.received).toEqual([]);
  await listener(runFinished({ status: 'failed' }));
  expect(hook.received).toHaveLength(1);
});

test('slack gets text only, and no name in it is markup', async () => {
  await using hook = await endpoint(answer(200));
  const { listener } = listen(hook.url, { format: 'slack' });
  await listener({
    type: 'table-finished',
    outcome: outcome({ name: '<!channel>', status: 'failed', error: failure() }),
  });
  const body = JSON.parse(hook.received[0]?.body ?? '') as { text: string };
  expect(Object.keys(body)).toEqual(['text']);
  expect(body.text).toContain('Table &lt;!channel&gt; of');
});

const key = Buffer.from('0123456789abcdef0123456789abcdef');

test.each([
  ['whsec_', `whsec_${key.toString('base64')}`, key],
  ['plain', 'päss phrase', Buffer.from('päss phrase', 'utf8')],
] as const)('a signature with a %s secret can be verified over the raw body', async (_, secret, hmacKey) => {
  await using hook = await endpoint(answer(200));
  const tables = [outcome({ name: 'größe' })];
  await listen(hook.url, { secret }).listener(runFinished({ tables }));
  const [letter] = hook.received;
  const id = String(letter?.headers['webhook-id']);
  const timestamp = String(letter?.headers['webhook-timestamp']);
  expect(id).toMatch(/^msg_[0-9a-f]{32}$/);
  expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(5);
  const digest = createHmac('sha256', hmacKey).update(`${id}.${timestamp}.${letter?.body}`).digest('base64');
  expect(letter?.headers['webhook-signature']).toBe(`v1,${digest}`);
});

test('the example of the Standard Webhooks libraries gives their signature', async () => {
  const { signatureOf } = await import('../../../src/notify/signature.ts');
  const signed = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1614265330, body: '{"test": 2432232314}' };
  expect(signatureOf('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', signed)).toBe(
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  );
});

test('a retry has the same id, and a signature for its own time', async () => {
  await using hook = await endpoint(answer(500), answer(408), answer(200));
  const { listener, failures, waits } = listen(hook.url, { secret: 'a secret' });
  await listener(runFinished());
  expect(failures).toEqual([]);
  expect(hook.received).toHaveLength(3);
  expect(new Set(hook.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect(new Set(hook.received.map(({ body }) => body)).size).toBe(1);
  expect(waits).toHaveLength(2);
  expect(waits.every((wait) => wait >= 0.25 && wait <= 1)).toBe(true);
});

test.each([
  [301, 'it answered 301, and redirects are not followed'],
  [400, 'it answered 400'],
  [410, 'it answered 410 (the endpoint is gone); remove WEBHOOK_URL'],
])('%d is not tried again', async (status, why) => {
  await using hook = await endpoint(answer(status, { location: '/elsewhere' }));
  const { listener, failures } = listen(hook.url);
  await listener(runFinished());
  expect(hook.received).toHaveLength(1);
  expect(failures).toEqual([
    `the webhook at ${hook.origin} did not accept "run.succeeded" after 1 attempt: ${why}`,
  ]);
});

test('500 is tried three times; the failure names the origin and not the token', async () => {
  await using hook = await endpoint(answer(500));
  const { listener, failures } = listen(hook.url);
  await listener(runFinished());
  expect(hook.received).toHaveLength(3);
  expect(failures).toEqual([
    `the webhook at ${hook.origin} did not accept "run.succeeded" after 3 attempts: it answered 500`,
  ]);
});

test.each([
  [429, '2', 2],
  [503, '3600', 10],
])('%d with Retry-After %s waits %d s', async (status, header, seconds) => {
  await using hook = await endpoint(answer(status, { 'retry-after': header }), answer(200));
  const { listener, failures, waits } = listen(hook.url, {}, { limits: { ...LIMITS, totalSeconds: 30 } });
  await listener(runFinished());
  expect(waits).toEqual([seconds]);
  expect(failures).toEqual([]);
});

test('there is no further attempt when its wait would go beyond the total', async () => {
  await using hook = await endpoint(answer(429, { 'retry-after': '9' }));
  const { listener, failures, waits } = listen(hook.url);
  await listener(runFinished());
  expect(hook.received).toHaveLength(1);
  expect(waits).toEqual([]);
  expect(failures[0]).toContain('it answered 429');
});

test('an endpoint that never answers is given up in time', async () => {
  await using hook = await endpoint(() => undefined);
  const { listener, failures } = listen(hook.url, {}, { limits: { ...LIMITS, attemptSeconds: 0.05 } });
  const before = performance.now();
  await listener(runFinished());
  expect(performance.now() - before).toBeLessThan(1000);
  expect(hook.received).toHaveLength(3);
  expect(failures[0]).toMatch(/after 3 attempts: no answer within 0\.1 s$/);
});

test('a failure says how long the run was held up', () => {
  expect(formatAttempts({ attempts: 3, seconds: 30 })).toBe('3 attempts in 30.0 s');
  expect(formatAttempts({ attempts: 1, seconds: 0.2 })).toBe('1 attempt');
});

test('a body without an end, and one that hangs, take nothing back of a 200', async () => {
  let sent = 0;
  await using hook = await endpoint(
    (response) => {
      response.writeHead(200);
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(16_384))) sent += 16_384;
      };
      response.on('drain', pour);
      pour();
    },
    (response) => void response.writeHead(200).write('and then'),
  );
  const { listener, failures } = listen(hook.url, {}, { limits: { ...LIMITS, attemptSeconds: 0.5 } });
  await listener(runFinished());
  await listener(runFinished());
  expect(hook.received).toHaveLength(2);
  expect(failures).toEqual([]);
  expect(sent).toBeLessThan(20_000_000);
});

test('a refused connection is tried again and reported without its URL', async () => {
  const { listener, failures, waits } = listen(await refusedUrl());
  await listener(runFinished());
  expect(waits).toHaveLength(2);
  expect(failures[0]).toMatch(/after 3 attempts: the connection failed: connection refused$/);
  expect(failures[0]).not.toContain('T0KEN');
});

test('a URL that cannot be used is a failure like any other', async () => {
  const { listener, failures } = listen('not a url T0KEN');
  await listener(runFinished());
  expect(failures).toHaveLength(1);
  expect(failures[0]).not.toContain('T0KEN');
});

test('a dead endpoint holds up one table of a run, and the run is told all the same', async () => {
  await using hook = await endpoint(answer(500), answer(500), answer(500), answer(200));
  const { listener, failures } = listen(hook.url);
  await listener(runStarted);
  for (let table = 0; table < 5; table += 1) await listener(tableFinished);
  await listener(runFinished());
  expect(hook.received).toHaveLength(4);
  expect(failures).toEqual([
    expect.stringContaining('"table.synced" after 3 attempts'),
    `4 more webhook messages to ${hook.origin} were not sent, because an earlier one failed`,
  ]);
  await listener(runStarted);
  await listener(tableFinished);
  expect(hook.received).toHaveLength(5);
});

test('an endpoint that is gone is not called again in this run', async () => {
  await using hook = await endpoint(answer(410));
  const { listener, failures } = listen(hook.url);
  await listener(runStarted);
  await listener(tableFinished);
  await listener(runFinished());
  expect(hook.received).toHaveLength(1);
  expect(failures).toHaveLength(2);
});

test('an interrupted run is told in one attempt', async () => {
  await using hook = await endpoint(answer(500));
  const { listener } = listen(hook.url, {}, { signal: AbortSignal.abort() });
  await listener(runFinished({ status: 'failed', error: failure({ code: 'INTERRUPTED' }) }));
  expect(hook.received).toHaveLength(1);
});

test('a signal ends the delivery about a table', async () => {
  await using hook = await endpoint(() => undefined);
  const stop = new AbortController();
  const { listener, failures } = listen(
    hook.url,
    {},
    { signal: stop.signal, limits: { ...LIMITS, attemptSeconds: 60 } },
  );
  setTimeout(() => stop.abort(), 20);
  await listener(tableFinished);
  expect(failures[0]).toMatch(/the run was interrupted$/);
});

test('no secret leaves in the payload, however JSON would write it', async () => {
  await using hook = await endpoint(answer(200));
  const { listener } = listen(hook.url, {}, { redact: redactor(['hun"ter\\2']) });
  const error = failure({ message: 'bad hun"ter\\2', hint: 'not hun"ter\\2' });
  await listener(runFinished({ status: 'failed', tables: [outcome({ status: 'failed', error })], error }));
  expect(hook.received[0]?.body).not.toContain('hun');
  expect(JSON.parse(hook.received[0]?.body ?? '')).toMatchObject({ data: { error: { message: 'bad ***' } } });
});

test('a user and a password in the URL become basic authentication', async () => {
  await using hook = await endpoint(answer(200));
  await listen(hook.url.replace('http://', 'http://me:p%40ss@')).listener(runFinished());
  expect(hook.received[0]?.headers.authorization).toBe(`Basic ${btoa('me:p@ss')}`);
});
