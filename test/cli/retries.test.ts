/** RETRY_ATTEMPTS and RETRY_DELAY: how often and how soon a run tries again, and the errors that metrics count. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseExposition, valueOf } from '../support/exposition.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';

test('an unreachable server is tried as often as RETRY_ATTEMPTS says, and each error is counted by its code', async () => {
  await using pair = await freshPair('orders');
  await mkdir(join(pair.directory, 'metrics'));
  const nobody = { DEST_PORT: '1', RETRY_DELAY: '0s', METRICS_TEXTFILE: 'metrics/increp.prom' };
  await pair.setEnv({ ...nobody, RETRY_ATTEMPTS: '3' });
  const { stdout, stderr, exitCode } = await increp('sync', pair);
  expect(exitCode).toBe(69);
  expect(stdout).toContain('tried 3 times (CONNECTION_FAILED)');
  expect(stderr.match(/trying again/g)).toHaveLength(2);
  await pair.setEnv({ RETRY_ATTEMPTS: '1' });
  const once = await increp('sync', pair);
  expect(once.stdout).toContain('(CONNECTION_FAILED)');
  expect(`${once.stdout}${once.stderr}`).not.toMatch(/tried|again in/);
  await pair.setEnv({ DEST_PORT: String(pair.login('destination').port) });
  expect((await increp('sync', pair)).exitCode).toBe(0);
  const series = parseExposition(await readFile(join(pair.directory, 'metrics/increp.prom'), 'utf8'));
  expect(valueOf(series, 'increp_errors_total', { code: 'CONNECTION_FAILED' })).toBe(2);
});

test.each([
  ['RETRY_ATTEMPTS', '0', 'is not a whole number from 1 to 100'],
  ['RETRY_ATTEMPTS', '101', 'is not a whole number from 1 to 100'],
  ['RETRY_DELAY', '2h', 'is not a duration up to 1h'],
])('%s=%s is refused', async (name, value, says) => {
  await using pair = await freshPair('orders');
  await pair.setEnv({ [name]: value });
  const { stderr, exitCode } = await increp('sync', pair);
  expect(exitCode).toBe(78);
  expect(stderr.replaceAll(/\s+/g, ' ')).toContain(`"${value}" ${says}`);
});
