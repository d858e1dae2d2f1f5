/** HEALTHCHECK_URL: what a monitor in the form of healthchecks.io is told of real runs. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { waitForCopy } from '../support/activity.ts';
import { heldRun } from '../support/held-run.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { IMPATIENT } from '../support/timing.ts';
import { webhookServer } from '../support/webhook-server.ts';
import type { WebhookServer } from '../support/webhook-server.ts';
import { oneIn, slowTest } from '../support/tier.ts';

/** The signals in their order, each with the id of its run. */
function signalsOf({ url, requests }: WebhookServer) {
  const { pathname } = new URL(url);
  return requests.map(({ path, method }) => {
    const called = new URL(path, 'http://localhost');
    expect(method).toBe('POST');
    expect(called.pathname).toMatch(new RegExp(`^${pathname}`));
    return [called.pathname.slice(pathname.length), called.searchParams.get('rid')] as const;
  });
}

test('a run that succeeds, fails in part, and ends before the first table is told by its exit code', async () => {
  await using pair = await freshPair({
    tables: ['orders', 'others'].map((name) => ({ ...ORDERS_CONFIG, name })),
    sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE others (LIKE orders INCLUDING ALL)`,
  });
  await using monitor = await webhookServer(200);
  await writeFile(join(pair.directory, 'url'), `${monitor.url}/\n`);
  await pair.setEnv({ HEALTHCHECK_URL_FILE: 'url' });
  const runs = [await sync(pair)];
  await pair.source.query('DROP TABLE others');
  runs.push(await trySync(pair));
  runs.push(await trySync(pair, '', { env: { SOURCE_PASSWORD: 'wrong password' } }));
  expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 3, 77]);
  expect(signalsOf(monitor)).toEqual(
    ['', '/3', '/77'].flatMap((signal, index) => [
      ['/start', runs[index]?.summary.run_id],
      [signal, runs[index]?.summary.run_id],
    ]),
  );
  const bodies = monitor.requests.map(({ rawBody }) => rawBody.toString('utf8'));
  expect(bodies[0]).toMatch(/^Pipeline \S+ starts: orders, others$/);
  expect(bodies[1]).toMatch(/^Pipeline \S+ succeeded\. Summary: 2 tables ok, 10 rows inserted/);
  expect(bodies[3]).toMatch(/partly failed.*others: .*no longer has public\.others/);
  expect(runs.map(({ stderr }) => stderr).join('')).not.toMatch(/healthcheck/);
});

slowTest('only sync calls it', async () => {
  await using pair = await freshPair('orders');
  await using monitor = await webhookServer(200);
  await sync(pair);
  await pair.setEnv({ HEALTHCHECK_URL: monitor.url });
  for (const command of ['check', 'plan', 'sync --dry-run', 'status', 'verify', 'reset orders'])
    await increp(command, pair);
  expect(monitor.requests).toEqual([]);
});

slowTest('an interrupted run ends with the code of its signal', async () => {
  await using pair = await freshPair({
    tables: [{ ...ORDERS_CONFIG, initial_load: 'copy' }],
    sourceSql: `${ordersPreset.sourceSql}; INSERT INTO orders SELECT i, 1, repeat('x', 100) FROM generate_series(100, 40000) i`,
  });
  await using monitor = await webhookServer(200);
  await using proxy = await faultProxy(pair.login('source'));
  await pair.setEnv({
    HEALTHCHECK_URL: monitor.url,
    SOURCE_HOST: proxy.host,
    SOURCE_PORT: String(proxy.port),
  });
  await using running = startIncrep('sync', pair);
  await waitForCopy(pair.destination, 'orders_stg');
  proxy.throttle(10_000);
  running.kill('SIGTERM');
  expect((await running.wait()).exitCode).toBe(143);
  expect(signalsOf(monitor).map(([signal]) => signal)).toEqual(['/start', '/143']);
});

slowTest('a run that meets the lock of another leaves the check as it is', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await using monitor = await webhookServer(200);
  await pair.setEnv({ HEALTHCHECK_URL: monitor.url });
  await insertOrders(pair, 1);
  const { running, letGo } = await heldRun(pair);
  await using first = running;
  const loser = await trySync(pair, '', { timing: IMPATIENT });
  expect(loser.exitCode).toBe(75);
  await letGo();
  expect((await first.wait()).exitCode).toBe(0);
  const signals = signalsOf(monitor);
  expect(signals.filter(([, rid]) => rid === loser.summary.run_id).map(([signal]) => signal)).toEqual([
    '/start',
    '/log',
  ]);
  expect(signals.filter(([, rid]) => rid !== loser.summary.run_id).map(([signal]) => signal)).toEqual([
    '/start',
    '',
  ]);
});

for (const [answer, why] of oneIn(2, [
  ['hang', /no answer within/],
  ['reset', /the connection failed/],
  [500, /it answered 500/],
  [302, /redirects are not followed/],
] as const)) {
  test(`a monitor that answers with "${answer}" is a warning, and changes nothing else`, async () => {
    await using pair = await freshPair('orders');
    await using monitor = await webhookServer(answer);
    await pair.setEnv({ HEALTHCHECK_URL: monitor.url });
    const { summary, stderr } = await sync(pair, '', { timing: { delivery: { attempt: 0.2 } } });
    expect(summary.status).toBe('ok');
    expect(stderr).toMatch(
      /"level":"warn".*the healthcheck at http:\/\/127\.0\.0\.1:\d+ did not accept the end/,
    );
    expect(stderr).toMatch(why);
    expect(stderr.match(/the healthcheck at/g)).toHaveLength(1);
    expect(stderr).not.toContain('/hook');
  });
}
