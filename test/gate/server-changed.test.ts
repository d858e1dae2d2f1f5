/** The server behind the source's address becomes another one in the middle of a table's sync. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer } from '../../src/demo/embedded-server.ts';
import type { EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { insertOrders, ordersPreset, ORDERS_CONFIG } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

let server: EmbeddedServer;

beforeAll(async () => {
  server = await startServer({ name: 'test-changing' });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

for (const mode of oneIn(2, [{}, { chunk: '8kB', initial_load: 'copy' }]))
  test(`between fence and snapshot ${'chunk' in mode ? 'of a load in chunks' : 'of a window'}: planned anew`, async () => {
    await using pair = await freshPair(
      { ...ordersPreset, tables: [{ ...ORDERS_CONFIG, ...mode }] },
      { sourceServerUrl: server.url('postgres') },
    );
    if (!('chunk' in mode)) await sync(pair);
    const open = await pair.source.connect();
    await open.query('BEGIN; SELECT FROM orders');
    await insertOrders(pair, 500);
    await using running = startIncrep('sync --json -v --wait-transactions 30s', pair);
    await running.waitForPhase('fence');
    await sleep(500);
    // What tells one instance from another, without the disturbance of a real restart.
    await pair.source.query(`SELECT pg_stat_reset_shared('bgwriter')`);
    await open.query('COMMIT');
    open.release();
    const result = await running.wait();
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stderr).toContain('another server instance answers');
    await expectSameRows(pair, 'orders');
    expect((await sync(pair)).table().warnings).toEqual([]);
  });
