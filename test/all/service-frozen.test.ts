/** A worker that is frozen for longer than the queue waits for a sign of life, and wakes when another one has its table. */
import { expect } from 'vitest';
import { fill } from '../support/chunked.ts';
import { attemptsOf, changedOrders, expectVerified, untilPhase } from '../support/service-scene.ts';
import { slowTest } from '../support/tier.ts';

const CASES = [
  { name: 'incremental-append', table: { mode: 'incremental-append' }, isLoad: false },
  {
    name: 'a load in chunks',
    table: { initial_load: 'copy', chunk: '256kB', lookback: '50ms' },
    isLoad: true,
  },
  { name: 'a load', table: { initial_load: 'copy' }, isLoad: true },
] as const;

for (const { name, table, isLoad } of CASES)
  slowTest(
    `frozen during ${name}: another worker does it, and no row comes twice`,
    { timeout: 120_000 },
    async () => {
      await using scene = await changedOrders({ table });
      const { pair, control, source, env } = scene;
      if (isLoad) {
        await pair.source.query(fill('orders', 20_000, 10_000));
        await pair.destination.query('DROP TABLE orders, _increp_state CASCADE');
      }
      source.throttle(isLoad ? 1_000_000 : 200_000);
      const frozen = control.spawn('work', { env });
      await untilPhase(control, 'copy');
      if ('chunk' in table)
        await expect
          .poll(
            async () =>
              (await pair.destination.query('SELECT FROM _increp_chunks').catch(() => undefined))?.rowCount ??
              0,
            { timeout: 30_000 },
          )
          .toBeGreaterThan(3);
      frozen.kill('SIGSTOP');
      source.throttle(Infinity);
      const other = control.spawn('work --drain 0s');
      await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'done'`, 60_000);
      await expectVerified(pair);
      await pair.source.query(`UPDATE orders SET note = 'newer', updated_at = now() WHERE id < 1100`);
      frozen.kill('SIGCONT');
      await frozen.waitForLog('this result counts for nothing');
      expect(await attemptsOf(control)).toEqual(['crashed', 'done']);
      const { rows } = await pair.destination.query(
        `SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids, count(*) FILTER (WHERE note = 'newer')::int AS newer FROM orders`,
      );
      const ids = isLoad ? 23_002 : 3002;
      expect(rows).toEqual([{ rows: ids, ids, newer: 0 }]);
      expect(await other.stop()).toBe(0);
    },
  );
