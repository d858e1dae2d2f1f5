/** A worker that loses its network in the middle of a sync. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { changedOrders, expectVerified, ROWS, untilPhase, type Scene } from '../support/service-scene.ts';
import { slowTest } from '../support/tier.ts';

const PATIENT = {
  transactionWait: 60,
  serve: { query: 1, claimPoll: 0.05, beat: 1, heartbeat: 10, monitor: 1 },
};

/** A transaction at the source holds the worker while its networks go. Returns what ends the transaction. */
async function holdInFence({ pair }: Scene): Promise<() => void> {
  const open = await pair.source.connect();
  await open.query('BEGIN; SELECT FROM orders');
  return () => open.release(true);
}

test('without a network to the queue, a worker finishes its table, begins nothing, and recovers alone', async () => {
  await using scene = await changedOrders({ every: '1s' });
  const { pair, control, queue, url } = scene;
  const release = await holdInFence(scene);
  const worker = control.start('work --drain 0s', { url, timing: { ...PATIENT, transactionWait: 40 } });
  await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'running'`);
  queue.reset();
  await queue.refuse();
  await worker.waitForLog('"code":"CONNECTION_');
  release();
  // The sync ends at the destination, although the queue hears nothing of it.
  await expect
    .poll(async () => (await pair.destination.query('SELECT FROM orders')).rowCount, { timeout: 20_000 })
    .toBe(ROWS + 2);
  const attempts = () => control.rows(`SELECT state FROM attempts WHERE table_name = 'orders'`);
  await sleep(500);
  expect(await attempts()).toEqual([{ state: 'running' }]);
  await queue.resume();
  await worker.waitForLog('the control database answers again');
  await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'done'`);
  await expectSameRows(pair, 'orders');
});

interface Outage {
  readonly gone: readonly ('source' | 'destination' | 'queue')[];
  readonly isSilent: boolean;
}

const OUTAGES: readonly Outage[] = [
  { gone: ['destination'], isSilent: false },
  { gone: ['destination'], isSilent: true },
  { gone: ['source'], isSilent: false },
  { gone: ['source'], isSilent: true },
  { gone: ['destination', 'queue'], isSilent: false },
  { gone: ['source', 'destination', 'queue'], isSilent: false },
];

for (const { gone, isSilent } of OUTAGES)
  slowTest(
    `without a network to ${gone.join(' and ')} (${isSilent ? 'silent' : 'refused'}), a worker changes nothing, and recovers alone`,
    { timeout: 120_000 },
    async () => {
      await using scene = await changedOrders({ every: '1s' });
      const { pair, control, env, url } = scene;
      const networks = gone.map((name) => scene[name]);
      const release = await holdInFence(scene);
      control.spawn('work', {
        ...{ url, timing: { ...PATIENT, connectTimeout: 3 } },
        env: { ...env, SHOP_STALL_TIMEOUT: '2s' },
      });
      await untilPhase(control, 'fence');
      for (const network of networks) {
        if (isSilent) network.stall();
        else {
          network.reset();
          await network.refuse();
        }
      }
      release();
      await control.until(
        `SELECT FROM attempts WHERE table_name = 'orders' AND (state = 'crashed' OR outcome -> 'tables' -> 0 -> 'error' ->> 'code' <> '')`,
        60_000,
      );
      const { rowCount } = await pair.destination.query('SELECT FROM orders');
      expect(rowCount).toBe(2);
      for (const network of networks) await network.resume();
      await pair.source.query(`INSERT INTO orders (id) VALUES (500)`);
      await control.until(`SELECT FROM tables WHERE state = 'ok' AND crashes = 0`, 60_000);
      await expect
        .poll(async () => (await pair.destination.query('SELECT FROM orders')).rowCount, { timeout: 20_000 })
        .toBe(ROWS + 3);
      expect(await control.rows('SELECT FROM pauses')).toEqual([]);
      await expectVerified(pair);
    },
  );
