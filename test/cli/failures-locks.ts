/** Other sessions that lock, change or cancel what a sync needs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { tryLock } from '../../src/sql/state.ts';
import { goThrough } from '../support/chunked.ts';
import { faultProxy } from '../support/proxy.ts';
import { insertOrders } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { IMPATIENT } from '../support/timing.ts';
import { copying, onWrite, hold, type Failure } from '../support/failure.ts';

export const LOCK_FAILURES: readonly Failure[] = [
  {
    code: 'RUN_LOCKED',
    title: 'another run has the table',
    provoke: async (provoked) => {
      await sync(provoked.pair);
      await insertOrders(provoked.pair, 1);
      await hold(
        provoked,
        'destination',
        `SET application_name = 'increp shop 1@worker-1'; ${tryLock({ schema: 'public', table: 'orders' }, 7200)}`,
      );
    },
    says: ['public.orders is being synced by another run: process 1 on host worker-1 (pipeline shop)'],
    next: '--wait-lock',
  },
  {
    code: 'LOCK_TIMEOUT',
    title: 'somebody holds the table of the destination',
    timing: IMPATIENT,
    provoke: async (provoked) => {
      await sync(provoked.pair);
      await insertOrders(provoked.pair, 1);
      await hold(provoked, 'destination', `SET application_name = 'psql'; LOCK TABLE orders`);
    },
    sqlstate: '55P03',
    says: ['destination', 'held by pid 4242 (psql)'],
    next: 'pg_terminate_backend',
  },
  {
    code: 'CONFLICT',
    title: 'a deadlock with every attempt',
    provoke: (provoked) =>
      onWrite(provoked, `RAISE EXCEPTION 'deadlock detected' USING ERRCODE = 'deadlock_detected';`),
    sqlstate: '40P01',
    says: ['destination warehouse.example.com:5432/analytics', 'deadlock detected'],
    next: 'log of that server',
  },
  {
    code: 'SCHEMA_CHANGED',
    title: 'the source is altered all the time',
    pair: copying,
    provoke: async ({ pair, stack }) => {
      const proxy = stack.use(await faultProxy(pair.login('source')));
      proxy.delay(40);
      await goThrough(pair, 'source', proxy);
      await pair.source.query('ALTER TABLE orders ADD c0 int');
    },
    meanwhile: async (running, pair) => {
      let hasEnded = false;
      void running.wait().finally(() => (hasEnded = true));
      for (let version = 1; !hasEnded; version += 1) {
        await pair.source.query(`ALTER TABLE orders RENAME c${version - 1} TO c${version}`);
        await sleep(5);
      }
    },
    says: ['public.orders changed while increp was reading it'],
    next: 'Run increp again',
  },
  {
    code: 'TIMEOUT',
    title: 'a statement is cancelled at the destination',
    provoke: (provoked) =>
      onWrite(provoked, 'PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(5);'),
    sqlstate: '57014',
    says: ['destination warehouse.example.com:5432/analytics', 'canceling statement due to user request'],
    next: 'statement_timeout',
  },
];
