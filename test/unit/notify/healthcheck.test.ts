import { expect, test } from 'vitest';
import type { RunEvent, RunSummary } from '../../../src/events.ts';
import { healthcheckListener, signalUrl } from '../../../src/notify/healthcheck.ts';
import type { HealthcheckOptions } from '../../../src/notify/healthcheck.ts';
import { redactor } from '../../../src/redact.ts';
import { DEFAULT_TIMING } from '../../../src/timing.ts';
import { failure, outcome, STARTED, summary } from '../report/outcomes.ts';
import { answer, endpoint, refusedUrl } from './endpoint.ts';

/** Enough on a busy machine; a test that waits for the end of an attempt names less. */
const LIMITS = {
  attempts: 3,
  attemptSeconds: 5,
  totalSeconds: 5,
  retryAfterSeconds: 10,
  retryDelay: DEFAULT_TIMING.retryDelay,
};

const begins: RunEvent = {
  type: 'run-started',
  runId: 'run-1',
  pipeline: 'shop',
  startedAt: STARTED,
  tables: ['orders', 'items'],
};
const ends = (changes: Partial<RunSummary> = {}): RunEvent => ({
  type: 'run-finished',
  summary: summary(changes),
});

/** A run from its start to its end; returns what was warned of. */
async function tell(url: string, exitCode: number, options: Partial<HealthcheckOptions> = {}, end = ends()) {
  const failures: string[] = [];
  const listener = healthcheckListener({
    url,
    redact: (text) => text,
    exitCodeOf: () => exitCode,
    onFailure: (message) => failures.push(message),
    sleep: async () => undefined,
    timing: DEFAULT_TIMING,
    limits: LIMITS,
    ...options,
  });
  await listener(begins);
  await listener(end);
  return failures;
}

test.each([
  [0, ''],
  [3, '/3'],
  [77, '/77'],
  [143, '/143'],
  [75, '/log'],
])('a run that exits with %d begins with /start and ends with "%s"', async (exitCode, signal) => {
  await using monitor = await endpoint(answer(200));
  expect(await tell(`${monitor.origin}/uuid`, exitCode)).toEqual([]);
  expect(monitor.received).toMatchObject([
    { method: 'POST', path: '/uuid/start?rid=run-1', body: 'Pipeline shop starts: orders, items' },
    {
      method: 'POST',
      path: `/uuid${signal}?rid=run-1`,
      body: expect.stringMatching(/^Pipeline shop succeeded\. Summary: /),
    },
  ]);
  expect(monitor.received[1]?.headers).toMatchObject({ 'content-type': 'text/plain; charset=utf-8' });
  expect(monitor.received[1]?.headers).not.toHaveProperty('webhook-id');
});

test.each([
  ['https://hc-ping.com/uuid', 'https://hc-ping.com/uuid/start?rid=r%201'],
  ['https://hc-ping.com/uuid/', 'https://hc-ping.com/uuid/start?rid=r%201'],
  ['https://hc-ping.com/key/slug?create=1', 'https://hc-ping.com/key/slug/start?create=1&rid=r%201'],
  ['https://hc.example.com/a%2Fb/?x=%2F#part', 'https://hc.example.com/a%2Fb/start?x=%2F&rid=r%201#part'],
  ['http://localhost:8000', 'http://localhost:8000/start?rid=r%201'],
])('the signal of %s goes behind its path', (base, expected) => {
  expect(signalUrl(base, '/start', 'r 1').href).toBe(expected);
});

test('the body tells the failures, without secrets, in at most 10 kB', async () => {
  await using monitor = await endpoint(answer(200));
  const message = `denied for hunter-22 ${'é'.repeat(500)}`;
  const tables = Array.from({ length: 40 }, (_, index) =>
    outcome({ name: `t${index}`.repeat(300), status: 'failed', error: failure({ message }) }),
  );
  const end = ends({ status: 'failed', tables });
  expect(await tell(monitor.url, 1, { redact: redactor(['hunter-22']) }, end)).toEqual([]);
  const body = monitor.received[1]?.body ?? '';
  expect(body).toContain('denied for ***');
  expect(body).not.toContain('hunter');
  expect(body).not.toContain('\uFFFD');
  expect(Buffer.byteLength(body)).toBeLessThanOrEqual(10_000);
});

test('a long message is cut between characters', async () => {
  await using monitor = await endpoint(answer(200));
  const failures: string[] = [];
  const listener = healthcheckListener({
    url: monitor.url,
    redact: (text) => text,
    timing: DEFAULT_TIMING,
    exitCodeOf: () => 0,
    onFailure: (message) => failures.push(message),
  });
  await listener({ ...begins, tables: ['𝒯able'.repeat(2000)] });
  await listener(ends());
  expect(failures).toEqual([]);
  expect(Buffer.byteLength(monitor.received[0]?.body ?? '')).toBeLessThanOrEqual(10_000);
  expect(monitor.received[0]?.body).toMatch(/[^\uFFFD]…$/u);
});

test('a monitor that refuses is warned of once, without its token', async () => {
  await using monitor = await endpoint(answer(404));
  expect(await tell(monitor.url, 0)).toEqual([
    `the healthcheck at ${monitor.origin} did not accept the end of the run after 1 attempt: it answered 404`,
  ]);
});

test('a start that was not accepted is told when the end was', async () => {
  await using monitor = await endpoint(answer(400), answer(200));
  expect(await tell(monitor.url, 0)).toEqual([
    `the healthcheck at ${monitor.origin} did not accept the start of the run after 1 attempt: it answered 400`,
  ]);
});

test('a check that does not exist is warned of, though the answer is 200', async () => {
  await using monitor = await endpoint((response) => void response.writeHead(200).end('OK (not found)'));
  expect(await tell(monitor.url, 0)).toEqual([
    expect.stringMatching(/after 1 attempt: the check does not exist; correct HEALTHCHECK_URL$/),
  ]);
});

test('a refused connection is tried again, and reported without its URL', async () => {
  expect(await tell(await refusedUrl(), 0)).toEqual([
    expect.stringMatching(/end of the run after 3 attempts: the connection failed: connection refused$/),
  ]);
});

test('the end waits for the start, and a trouble that passes is no trouble', async () => {
  await using monitor = await endpoint(
    (response) => void setTimeout(() => response.writeHead(200).end(), 100),
    answer(503),
    answer(200),
  );
  expect(await tell(monitor.url, 3)).toEqual([]);
  expect(monitor.received.map(({ path }) => path?.split('?')[0]?.split('/').at(-1))).toEqual([
    'start',
    '3',
    '3',
  ]);
});

test('after a signal a start that hangs is given up, and the end has one attempt', async () => {
  await using monitor = await endpoint(() => undefined, answer(500));
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 50);
  const end = ends({ status: 'failed', error: failure({ code: 'INTERRUPTED' }) });
  expect(await tell(monitor.url, 143, { signal: stop.signal }, end)).toEqual([
    expect.stringMatching(/did not accept the end of the run after 1 attempt: it answered 500$/),
  ]);
  expect(monitor.received).toHaveLength(2);
});
