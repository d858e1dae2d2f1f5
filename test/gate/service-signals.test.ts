/** How the service stops: in a terminal, by two signals, and by a supervisor that does not wait. */
import { expect, test } from 'vitest';
import { processes } from '../support/activity.ts';
import { startIncrep } from '../support/increp.ts';
import { inTerminal } from '../support/pseudo-terminal.ts';
import { attemptsOf, changedOrders, expectVerified, untilPhase } from '../support/service-scene.ts';
import { slowTest } from '../support/tier.ts';

const CRASHED = 'SELECT FROM tables WHERE crashes > 0';
const DONE = `SELECT FROM attempts WHERE table_name = 'orders' AND state = 'done'`;

test('Ctrl-C stops the service and its worker by the signal that came, and a second one stops both at once', async () => {
  await using scene = await changedOrders({ isServed: false });
  const { pair, control, source, env } = scene;
  source.throttle(20_000);
  await using serve = inTerminal(
    `serve --pipelines ${control.root} --listen 127.0.0.1:0`,
    { directory: pair.directory },
    { columns: 200, env: { SERVE_DATABASE_URL: control.url, NO_COLOR: '1', ...env } },
  );
  await untilPhase(control, 'copy');
  serve.type('\u0003');
  await expect
    .poll(() => serve.bytes)
    .toContain('stopped by SIGINT: no job begins any more; 1 job may finish within 30s');
  expect(serve.hasEnded).toBe(false);
  serve.type('\u0003');
  await serve.wait();
  await expect.poll(() => processes(`work --pipelines ${control.root}`), { timeout: 10_000 }).toEqual([]);
  expect(serve.bytes).not.toContain('SIGTERM');
  expect(await attemptsOf(control)).toEqual(['returned']);
  expect(await control.rows(CRASHED)).toEqual([]);
});

test.each(['SIGINT', 'SIGTERM'] as const)('an idle service ends by %s with its worker', async (signal) => {
  await using scene = await changedOrders({ isServed: false });
  const { pair, control, env } = scene;
  await using serve = startIncrep(`serve --pipelines ${control.root} --listen 127.0.0.1:0`, pair, {
    env: { SERVE_DATABASE_URL: control.url, ...env },
  });
  await serve.waitForStderr('this worker serves the pipeline');
  serve.kill(signal);
  expect((await serve.wait()).exitCode).toBe(0);
  expect(await processes(`work --pipelines ${control.root}`)).toEqual([]);
});

slowTest('a sync that ends within --drain is done, and the worker ends with it', async () => {
  await using scene = await changedOrders();
  const { pair, control, source, env } = scene;
  source.throttle(200_000);
  const worker = control.spawn('work --drain 30s', { env });
  await untilPhase(control, 'copy');
  const ended = worker.stop();
  await worker.waitForLog('stopped by SIGTERM: no job begins any more; 1 job may finish within 30s');
  source.throttle(Infinity);
  expect(await ended).toBe(0);
  expect(await attemptsOf(control)).toEqual(['done']);
  await expectVerified(pair);
});

slowTest('SIGKILL during --drain, as by Kubernetes: another worker syncs the table', async () => {
  await using scene = await changedOrders();
  const { pair, control, source, env } = scene;
  source.throttle(20_000);
  const worker = control.spawn('work --drain 60s', { env });
  await untilPhase(control, 'copy');
  worker.kill('SIGTERM');
  await worker.waitForLog('no job begins any more');
  worker.kill('SIGKILL');
  control.spawn('work --drain 0s');
  await control.until(DONE);
  expect(await attemptsOf(control)).toEqual(['crashed', 'done']);
  expect(await control.rows(CRASHED)).toEqual([]);
  await expectVerified(pair);
});

slowTest(
  'the end of the time of --drain: the sync is rolled back and left to others, and this is no crash',
  async () => {
    await using scene = await changedOrders();
    const { pair, control, source, env } = scene;
    source.throttle(20_000);
    const worker = control.spawn('work --drain 1s', { env });
    await untilPhase(control, 'copy');
    expect(await worker.stop()).toBe(0);
    expect(worker.log).toContain('rolled back, and left to another worker');
    expect(await attemptsOf(control)).toEqual(['returned']);
    control.spawn('work --drain 0s');
    await control.until(DONE);
    expect(await control.rows(CRASHED)).toEqual([]);
    await expectVerified(pair);
  },
);
