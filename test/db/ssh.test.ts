/** Connections through a real sshd. */
import { afterAll, beforeAll, expect } from 'vitest';
import { pairBehind, through } from '../support/behind-bastion.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { ORDERS_CONFIG } from '../support/shop.ts';
import { canTestSsh, startSshd, testWithSshd, tunnelProcesses, type Sshd } from '../support/sshd.ts';
import { sync } from '../support/sync.ts';

let bastion: Sshd;

beforeAll(async () => {
  if (canTestSsh) bastion = await startSshd();
});
afterAll(() => bastion?.[Symbol.asyncDispose]());

testWithSshd('both loaders go through one tunnel for each side, and nothing is left', async () => {
  await using pair = await freshPair('orders');
  await pair.setEnv({ ...through(bastion), ...through(bastion, 'DEST') });
  const before = bastion.logins();
  expect((await sync(pair)).table()).toMatchObject({ loader: 'pg_dump', rows_inserted: 10 });
  await expectSameRows(pair, 'orders');
  expect(bastion.logins() - before).toBe(2);
  await pair.writeTables([{ ...ORDERS_CONFIG, initial_load: 'copy', chunk: 3, load_jobs: 3 }]);
  await sync(pair, '--full-refresh');
  await expectSameRows(pair, 'orders');
  expect(bastion.logins() - before).toBe(4);
  expect(await tunnelProcesses(bastion)).toEqual([]);
});

testWithSshd('config and check name the tunnel', async () => {
  await using pair = await pairBehind(bastion);
  const before = bastion.logins();
  expect((await increp('config', pair)).stdout).toContain(
    `note: source: increp connects through the SSH tunnel of ${bastion.address} (SOURCE_SSH)`,
  );
  expect(bastion.logins()).toBe(before);
  expect((await increp('check', pair)).stdout).toMatch(
    /source: PostgreSQL [\d.]+, no TLS, through \S+@127\.0\.0\.1:\d+; destination: PostgreSQL [\d.]+, no TLS/,
  );
});
