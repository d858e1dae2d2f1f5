/** A run that ends while a connection is still being made leaves none behind, or it would never end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { increp, startIncrep } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';

test('one side fails while the other is still connecting', async () => {
  await using pair = await freshPair('orders');
  await using proxy = await faultProxy(pair.login('destination'));
  proxy.delay(200);
  await pair.setEnv({ DEST_PORT: String(proxy.port), SOURCE_PASSWORD: 'wrong' });
  const { isTimedOut, exitCode } = await increp('sync', pair, { timeout: 10_000 });
  expect({ isTimedOut, exitCode }).toEqual({ isTimedOut: false, exitCode: 77 });
});

test('SIGTERM while both sides are connecting', async () => {
  await using pair = await freshPair('orders');
  for (const delay of [0, 1, 2, 5, 9, 12, 20, 29]) {
    await using running = startIncrep('sync', pair, { timeout: 5000 });
    await running.waitForStderr('run started');
    await sleep(delay);
    running.kill('SIGTERM');
    const { isTimedOut } = await running.wait();
    expect({ delay, isTimedOut }).toEqual({ delay, isTimedOut: false });
  }
});
