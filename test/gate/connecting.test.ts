/** A run that ends while a connection is still being made leaves none behind, or it would never end. */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { increp, startIncrep } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { ordersPreset } from '../support/shop.ts';
import { faultProxy } from '../support/proxy.ts';
import { oneIn } from '../support/tier.ts';

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
  for (const delay of oneIn(2, [0, 1, 2, 5, 9, 12, 20, 29])) {
    await using running = startIncrep('sync -v', pair, { timeout: 5000 });
    await running.waitForStderr('run started');
    await sleep(delay);
    running.kill('SIGTERM');
    const { isTimedOut } = await running.wait();
    expect({ delay, isTimedOut }).toEqual({ delay, isTimedOut: false });
  }
});

/** What a server keeps of a password, as RFC 5803 has it. */
function verifierOf(password: string, iterations: number): string {
  const salt = Buffer.from('0123456789abcdef');
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const keyOf = (what: string) => createHmac('sha256', salted).update(what).digest();
  const stored = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${keyOf('Server Key').toString('base64')}`;
}

test('a password that the server keeps with many iterations of SCRAM is no wrong password', async () => {
  await using pair = await freshPair({ ...ordersPreset, isOwn: true });
  const { user, password } = pair.login('source', 'increp');
  await pair.source.query(`ALTER ROLE ${user} PASSWORD '${verifierOf(password, 200_000)}'`);
  const { exitCode, stderr } = await increp('check', pair);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
});
