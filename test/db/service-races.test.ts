/** What happens in the control database at the same moment: no request is lost, and no paused table is synced. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ControlDatabase, ControlSession } from '../../src/postgres/control-database.ts';
import { claimJob, type ClaimedJob } from '../../src/serve/claim.ts';
import { settleLost } from '../../src/serve/lost-attempts.ts';
import { settleLook, settleTable } from '../../src/serve/settle.ts';
import { requestRun, runDueSchedules } from '../../src/serve/trigger.ts';
import { TAKE_LOST_ATTEMPTS } from '../../src/sql/control/claims.ts';
import { freshPair } from '../support/pair.ts';
import { controlPlace, openControl } from '../support/service.ts';
import { ORDERS_CONFIG } from '../support/shop.ts';

const ORDER = { pipeline: 'shop', origin: 'request', by: 'test' } as const;
const CLAIMANT = {
  worker: '00000000-0000-4000-8000-000000000001',
  pipelines: ['shop'],
  programOf: () => 'test',
};
/** As the queue does it for workers without a sign of life. */
const loseWorkers = `UPDATE job SET state = 'retry', retry_count = retry_count + 1 WHERE state = 'active'`;
/** Milliseconds in which the other transaction would end. */
const MEANWHILE = 200;
const NOTHING = { tables: [], error: undefined } as unknown as Parameters<typeof settleLook>[3]['summary'];
const DONE = { summary: NOTHING, progress: {} } as unknown as Parameters<typeof settleTable>[3];
const LISTING = { tables: [], schedules: [], destinations: [], isWhole: false };

/** A control database with the pipeline "shop", whose jobs nobody takes. */
async function quietShop(schedule?: object) {
  await using made = new AsyncDisposableStack();
  const pair = made.use(await freshPair('orders'));
  const place = made.use(await controlPlace());
  await pair.writeTables({ schedule, jobs: 4, tables: [ORDERS_CONFIG] });
  await place.add('shop', pair);
  const serve = place.start('serve --no-worker --listen 127.0.0.1:0');
  await place.until('SELECT FROM pipelines');
  await serve.stop();
  const { control, queue } = made.use(await openControl(place));
  const claim = async () => {
    const { claim: taken } = await claimJob(control, queue, CLAIMANT);
    return taken ?? expect.fail('there is no job');
  };
  const look = async (...tables: string[]) => {
    const taken = await claim();
    await settleLook(control, queue, taken, foundBy(taken, tables));
  };
  const owned = made.move();
  return { place, control, queue, claim, look, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The result of a look that found work in these tables. */
function foundBy(look: ClaimedJob, tables: readonly string[], summary = NOTHING) {
  if (look.kind !== 'look') expect.fail('not a look');
  const found = look.runs.map((run) => ({ run, withWork: tables, quiet: 0 }));
  return { source: 'one', summary, listing: LISTING, found, waiting: [] };
}

/** Its transactions stay open after their work until `end`, as on a slow network. */
function slowControl(control: ControlDatabase) {
  const [done, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const transaction: ControlDatabase['transaction'] = (work) =>
    control.transaction(async (session) => {
      const result = await work(session);
      done.resolve();
      await release.promise;
      return result;
    });
  return { transaction, isDone: done.promise, end: () => release.resolve() };
}

/** Begins other work while the slow transaction is still open, and resolves to its result. */
async function whileOpen<T>(slow: ReturnType<typeof slowControl>, work: () => Promise<T>): Promise<T> {
  await slow.isDone;
  const result = work();
  await sleep(MEANWHILE);
  slow.end();
  return result;
}

test('a request that comes while a worker takes the waiting look gets a look of its own', async () => {
  await using shop = await quietShop();
  const { control, queue, place } = shop;
  const send = (session: ControlSession) => requestRun(session, queue, ORDER);
  await control.transaction(send);
  const slow = slowControl(control);
  const sending = slow.transaction(send);
  await Promise.all([sending, whileOpen(slow, shop.claim)]);
  expect(
    await place.rows(`SELECT state FROM runs r WHERE state = 'queued' AND NOT EXISTS (
      SELECT FROM job WHERE singleton_key = 'shop' AND state < 'active')`),
  ).toEqual([]);
});

test('a table with new work while a worker takes its waiting job is synced for both runs', async () => {
  await using shop = await quietShop();
  const { control, queue, place } = shop;
  const request = () => control.transaction((session) => requestRun(session, queue, ORDER));
  await request();
  await shop.look('orders');
  await request();
  const second = await shop.claim();
  const slow = slowControl(control);
  const settling = settleLook(slow, queue, second, foundBy(second, ['orders']));
  const [, table] = await Promise.all([settling, whileOpen(slow, shop.claim)]);
  await settleTable(control, queue, table, DONE);
  expect(
    await place.rows(`SELECT state FROM run_tables t WHERE state = 'queued' AND NOT EXISTS (
      SELECT FROM job WHERE singleton_key = 'shop/orders' AND state < 'active')`),
  ).toEqual([]);
});

test('a run whose last two tables end at the same time ends, too', async () => {
  await using shop = await quietShop();
  const { control, queue, place } = shop;
  await control.transaction((session) => requestRun(session, queue, ORDER));
  await shop.look('orders', 'items');
  const [first, second] = [await shop.claim(), await shop.claim()];
  const slow = slowControl(control);
  const settling = settleTable(slow, queue, first, DONE);
  await Promise.all([settling, whileOpen(slow, () => settleTable(control, queue, second, DONE))]);
  expect(await place.rows('SELECT state FROM runs')).toEqual([{ state: 'ok' }]);
});

test('a request that waits when a worker crashes at the table leads to one sync with the next attempt', async () => {
  await using shop = await quietShop();
  const { control, queue, place } = shop;
  const request = () => control.transaction((session) => requestRun(session, queue, ORDER));
  await request();
  await shop.look('orders');
  await shop.claim();
  await request();
  await shop.look('orders');
  await place.rows(loseWorkers);
  const again = await shop.claim();
  await settleTable(control, queue, again, DONE);
  expect(await place.rows('SELECT state FROM runs')).toEqual([{ state: 'ok' }, { state: 'ok' }]);
  expect(await place.rows(`SELECT state FROM job WHERE state < 'active'`)).toEqual([]);
});

test('two runs of one schedule wait, because a look was lost: a due time joins the later one only', async () => {
  await using shop = await quietShop({ every: '1s' });
  const { control, queue, place } = shop;
  const due = async () => {
    await runDueSchedules(control, queue);
    await sleep(1000);
  };
  await due();
  await shop.claim();
  await due();
  await place.rows(loseWorkers);
  await control.transaction((session) => settleLost(session, queue));
  await due();
  const [runs] = await place.rows(
    `SELECT count(DISTINCT due_at)::int AS runs,
       extract(epoch FROM max(due_at) - min(due_at))::int - sum(missed) FILTER (WHERE due_at > first) AS apart
     FROM (SELECT due_at, missed, min(due_at) OVER () AS first FROM runs) r`,
  );
  expect(runs).toEqual({ runs: 2, apart: '1' });
});

test('a worker is lost in the middle of a claim: its runs wait for the next attempt', async () => {
  await using shop = await quietShop();
  const { control, queue, place } = shop;
  const request = () => control.transaction((session) => requestRun(session, queue, ORDER));
  await request();
  await shop.look('orders');
  await shop.claim();
  await request();
  await shop.look('items');
  // The queue notices the loss after the claim has searched for lost workers.
  const transaction: ControlDatabase['transaction'] = (work) =>
    control.transaction((session) =>
      work({
        query: async (text, values) => {
          const result = await session.query<never>(text, values);
          if (text === TAKE_LOST_ATTEMPTS) await place.rows(loseWorkers);
          return result;
        },
      }),
    );
  const { claim = expect.fail('there is no job') } = await claimJob(
    { query: (text, values) => control.query(text, values), transaction },
    queue,
    CLAIMANT,
  );
  await settleTable(control, queue, claim, DONE);
  await settleTable(control, queue, await shop.claim(), DONE);
  expect(await place.rows('SELECT state FROM runs')).toEqual([{ state: 'ok' }, { state: 'ok' }]);
});

test('a look that fails ends its run, and its tables have failed', async () => {
  await using shop = await quietShop();
  const { control, queue, place } = shop;
  await control.transaction((session) => requestRun(session, queue, ORDER));
  const look = await shop.claim();
  const error = {
    code: 'CONNECTION_FAILED',
    message: 'no answer',
    hint: '',
    sqlstate: undefined,
    exitCode: 69,
  };
  const summary = { ...NOTHING, error } as typeof NOTHING;
  await settleLook(control, queue, look, foundBy(look, ['orders'], summary));
  expect(await place.rows('SELECT state FROM runs')).toEqual([{ state: 'failed' }]);
  expect(await place.rows('SELECT FROM run_tables')).toEqual([]);
  expect(
    await place.rows(`SELECT table_name, state, outcome -> 0 -> 'error' ->> 'code' AS code FROM tables`),
  ).toEqual([{ table_name: 'orders', state: 'failing', code: 'CONNECTION_FAILED' }]);
});

test('a table that was paused while its job waited is not synced, and a continued table may crash five times again', async () => {
  await using shop = await quietShop();
  const { control, queue, place } = shop;
  await control.transaction((session) => requestRun(session, queue, ORDER));
  await shop.look('orders', 'items');
  await place.rows(
    `INSERT INTO pauses (pipeline, table_name, reason, made_by) VALUES ('shop', 'orders', 'crashed', 'test');
     INSERT INTO tables (pipeline, table_name, state, crashes) VALUES ('shop', 'orders', 'crashed', 5)`,
  );
  const items = await shop.claim();
  expect(items).toMatchObject({ table: 'items' });
  await settleTable(control, queue, items, DONE);
  expect(await claimJob(control, queue, CLAIMANT)).toEqual({ lost: [] });
  await place.rows('DELETE FROM pauses');
  expect(await shop.claim()).toMatchObject({ table: 'orders' });
  await place.rows(loseWorkers);
  await control.transaction((session) => settleLost(session, queue));
  expect(await place.rows(`SELECT state, crashes FROM tables WHERE table_name = 'orders'`)).toEqual([
    { state: 'failing', crashes: 1 },
  ]);
});

test('a table that is removed from the configuration between the look and its sync fails the run, and stays away', async () => {
  await using shop = await quietShop();
  const { control, queue, place } = shop;
  await control.transaction((session) => requestRun(session, queue, ORDER));
  await shop.look('removed');
  place.start('work --drain 0s');
  await place.until('SELECT FROM runs WHERE finished_at IS NOT NULL');
  expect(await place.rows('SELECT state FROM runs')).toEqual([{ state: 'failed' }]);
  expect(
    await place.rows(
      `SELECT outcome -> 'error' ->> 'code' AS code FROM attempts WHERE table_name IS NOT NULL`,
    ),
  ).toEqual([{ code: 'USAGE' }]);
  expect(await place.rows(`SELECT FROM tables WHERE table_name = 'removed'`)).toEqual([]);
});
