/** `mode: "incremental-append"` under kills: a version is there once, however often a run was ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startIncrep } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { APPEND, versionsIn, WITNESS } from '../support/versions.ts';

test('killed at random moments, it holds each version once', { timeout: 120_000 }, async () => {
  await using pair = await freshPair({
    tables: [{ ...APPEND, lookback: '1h' }],
    sourceSql: `${ORDERS_SQL}; INSERT INTO orders SELECT i, i, repeat('note ', 20) || i FROM generate_series(1, 20000) i`,
  });
  await pair.source.query(WITNESS);
  await sync(pair);
  for (let kill = 1; kill <= 8; kill += 1) {
    await pair.source.query(
      `UPDATE orders SET total = ${kill}, updated_at = now() WHERE id % 8 = ${kill % 8}`,
    );
    await using running = startIncrep(kill % 4 === 0 ? 'sync --full-refresh' : 'sync', pair);
    await sleep(150 + Math.random() * 900);
    running.kill('SIGKILL');
    await running.wait();
    // Each round is seen as a whole before the next one overwrites it.
    await sync(pair, '--wait-lock 10s');
  }
  expect(await versionsIn(pair.destination, 'orders')).toEqual(await versionsIn(pair.source, 'versions'));
});
