/** A destination whose synchronous standby is away: commits there wait, and what waits for them says so. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer } from '../../src/demo/embedded-server.ts';
import type { EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { waitUntil } from '../support/activity.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { insertOrders } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';

let server: EmbeddedServer;

beforeAll(async () => {
  const settings = { wal_level: 'replica', max_wal_senders: 2, synchronous_commit: 'on' };
  server = await startServer({ name: 'test-no-standby', settings });
}, 60_000);

afterAll(() => server.stop());

test('a table whose commit waits for a standby is not called locked without a reason', async () => {
  await using pair = await freshPair('orders', { destinationServerUrl: server.url('postgres') });
  await sync(pair);
  await insertOrders(pair, 1);
  const wait = async (names: string) => {
    await pair.destination.query(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`);
    await pair.destination.query('SELECT pg_reload_conf()');
    await waitUntil('the setting counts', async () => {
      const { rows } = await pair.destination.query<{ names: string }>(
        `SELECT current_setting('synchronous_standby_names') AS names`,
      );
      return rows[0]?.names === names;
    });
  };
  await wait('nobody');
  try {
    await using first = startIncrep('sync', pair);
    await waitUntil('a commit waits', async () => {
      const { rowCount } = await pair.destination.query(
        `SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
      );
      return rowCount === 1;
    });
    const { exitCode, table } = await trySync(pair, '', { timing: { tableLockGrace: 0 } });
    expect(exitCode).toBe(75);
    expect(table().error?.message).toMatch(
      /^the last sync of public\.orders cannot end: its commit waits for a synchronous standby of the destination: increp /,
    );
    expect(table().error?.hint).toContain('synchronous_standby_names');
    const reset = await increp('reset orders', pair, { timing: { tableLockGrace: 0 } });
    expect(reset.stderr).toContain('its commit waits for a synchronous standby');
    await wait('');
    expect((await first.wait()).exitCode).toBe(0);
  } finally {
    await wait('');
  }
  await expectSameRows(pair, 'orders');
});
