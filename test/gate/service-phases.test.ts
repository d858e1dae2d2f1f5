/** `kill -9` of a worker in each phase of a sync, and a worker without any network. */
import { expect, test } from 'vitest';
import { fill } from '../support/chunked.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { faultProxy, type FaultProxy } from '../support/proxy.ts';
import { controlPlace } from '../support/service.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';
import type { TimingChanges } from '../support/timing.ts';

const SERVE = 'serve --no-worker --listen 127.0.0.1:0';
const ROWS = 3000;

/** A pipeline with one table that has new rows, and networks that can fail between it and one of the workers. */
async function changedOrders(options: object = {}, every = '1h') {
  await using made = new AsyncDisposableStack();
  const pair = made.use(
    await freshPair({
      sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, note) VALUES (1, 'first'), (2, 'gone')`,
    }),
  );
  await pair.writeTables({ schedule: { every }, tables: [{ ...ORDERS_CONFIG, ...options }] });
  await sync(pair);
  await pair.source.query(`DELETE FROM orders WHERE id = 2;
    INSERT INTO orders (id, note) SELECT i, repeat('x', 200) FROM generate_series(1000, ${ROWS + 999}) i`);
  const [source, destination] = [
    made.use(await faultProxy(pair.login('source'))),
    made.use(await faultProxy(pair.login('destination'))),
  ];
  const control = made.use(await controlPlace());
  await control.add('shop', pair);
  control.start(SERVE);
  await control.until('SELECT FROM schedules');
  const env = {
    ...{ SHOP_SOURCE_HOST: source.host, SHOP_SOURCE_PORT: String(source.port) },
    ...{ SHOP_DEST_HOST: destination.host, SHOP_DEST_PORT: String(destination.port) },
  };
  const owned = made.move();
  return { pair, control, source, destination, env, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

interface Networks {
  readonly pair: Pair;
  readonly source: FaultProxy;
  readonly destination: FaultProxy;
}

interface PhaseCase {
  readonly phase: string;
  readonly options?: object;
  readonly timing?: TimingChanges;
  /** Keeps the first worker in the phase. */
  readonly hold: (networks: Networks) => unknown;
}

const AFTER_COPY = { from: 'client', after: 'FROM STDIN' } as const;

const PHASES: readonly PhaseCase[] = [
  {
    phase: 'commit',
    // The server commits, and the answer never comes.
    hold: ({ destination }) => destination.when({ ...AFTER_COPY, seen: 'COMMIT', fault: 'mute' }),
  },
  {
    phase: 'merge',
    hold: ({ destination }) => {
      for (const seen of ['MERGE INTO', 'INSERT INTO "public"."orders"'])
        destination.when({ ...AFTER_COPY, seen, fault: 'stall' });
    },
  },
  {
    phase: 'deletes',
    options: { deletes: 'hard', deletes_every: '0s', delete_limit: 1 },
    hold: ({ destination }) => destination.when({ ...AFTER_COPY, seen: 'DELETE FROM', fault: 'stall' }),
  },
  {
    phase: 'fence',
    timing: { transactionWait: 60 },
    hold: async ({ pair }) => {
      const open = await pair.source.connect();
      await open.query('BEGIN; SELECT FROM orders');
      return open;
    },
  },
];

const cases = PHASES.flatMap((each) =>
  (each.phase === 'deletes' ? ['incremental-deduped'] : ['incremental-deduped', 'incremental-append']).map(
    (mode, index) => ({ ...each, mode, isSlow: each.phase !== 'commit' || index > 0 }),
  ),
);

for (const { phase, mode, isSlow, options, timing, hold } of cases)
  (isSlow ? slowTest : test)(
    `kill -9 of a worker in the phase "${phase}" (${mode}): another worker syncs the table, and no row comes twice`,
    async () => {
      await using scene = await changedOrders({ mode, ...options });
      const { pair, control, env } = scene;
      const held: unknown = await hold(scene);
      const first = control.spawn('work', { env, ...(timing && { timing }) });
      await control.until(
        `SELECT FROM attempts WHERE table_name = 'orders' AND state = 'running' AND phase = '${phase}'`,
      );
      first.kill('SIGKILL');
      if (held && typeof held === 'object' && 'release' in held)
        (held as { release: (end: boolean) => void }).release(true);
      const killedAt = Date.now();
      control.spawn('work');
      await control.until(`SELECT FROM attempts a WHERE table_name = 'orders' AND state = 'done'`, 60_000);
      expect(Date.now() - killedAt).toBeLessThan(60_000);
      expect(
        await control.rows(`SELECT state, phase FROM attempts WHERE table_name = 'orders' ORDER BY id`),
      ).toMatchObject([{ state: 'crashed', phase }, { state: 'done' }]);
      const { rows } = await pair.destination.query<object>(
        'SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids FROM orders WHERE id <> 2',
      );
      expect(rows).toEqual([{ rows: ROWS + 1, ids: ROWS + 1 }]);
      if (options) await expectSameRows(pair, 'orders');
    },
  );

slowTest(
  'kill -9 of a worker during a load in chunks: the next attempt keeps the committed chunks',
  async () => {
    await using scene = await changedOrders({ initial_load: 'copy', chunk: '256kB', lookback: '50ms' });
    const { pair, control, source, env } = scene;
    await pair.source.query(fill('orders', 20_000, 10_000));
    await pair.destination.query('DROP TABLE orders, _increp_state CASCADE');
    source.throttle(1_000_000);
    const first = control.spawn('work', { env });
    await control.until(
      `SELECT FROM attempts WHERE table_name = 'orders' AND state = 'running' AND phase = 'copy'`,
    );
    const chunks = async () =>
      (await pair.destination.query('SELECT FROM _increp_chunks').catch(() => undefined))?.rowCount ?? 0;
    await expect.poll(chunks, { timeout: 30_000 }).toBeGreaterThan(3);
    first.kill('SIGKILL');
    const { rows: now } = await pair.destination.query<{ id: string }>(
      'SELECT pg_current_xact_id()::text AS id',
    );
    control.spawn('work');
    await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state = 'done'`, 60_000);
    // The first worker has written these rows.
    const { rows } = await pair.destination.query<{ kept: number }>(
      `SELECT count(*)::int AS kept FROM orders WHERE xmin::text::bigint < $1`,
      [now[0]?.id],
    );
    expect(rows[0]?.kept).toBeGreaterThan(1000);
    await expectSameRows(pair, 'orders');
  },
);

slowTest(
  'without a network to the destination and the queue, a worker begins nothing, and recovers alone',
  async () => {
    await using scene = await changedOrders({}, '1s');
    const { pair, control, destination, env } = scene;
    const { hostname: host, port } = new URL(control.url);
    await using queue = await faultProxy({ host, port: Number(port) });
    const url = control.url.replace(`${host}:${port}`, `${queue.host}:${queue.port}`);
    const open = await pair.source.connect();
    await open.query('BEGIN; SELECT FROM orders');
    const timing = {
      transactionWait: 60,
      serve: { query: 1, claimPoll: 0.05, beat: 1, heartbeat: 10, monitor: 1 },
    };
    const worker = control.spawn('work', { env, url, timing });
    await control.until(
      `SELECT FROM attempts WHERE table_name = 'orders' AND state = 'running' AND phase = 'fence'`,
    );
    for (const network of [queue, destination]) {
      network.reset();
      await network.refuse();
    }
    await worker.waitForLog('"code":"CONNECTION_');
    await open.query('COMMIT');
    open.release();
    await control.until(`SELECT FROM attempts WHERE table_name = 'orders' AND state <> 'running'`);
    expect(await control.rows(`SELECT FROM attempts WHERE state = 'running'`)).toEqual([]);
    for (const network of [queue, destination]) await network.resume();
    await control.until(
      `SELECT FROM attempts WHERE table_name = 'orders' AND state = 'done' AND outcome -> 'error' = 'null'`,
      60_000,
    );
    await control.until(`SELECT FROM tables WHERE state = 'ok' AND last_success_at > now() - interval '5 s'`);
    await pair.source.query(`INSERT INTO orders (id) VALUES (500)`);
    await expect
      .poll(async () => (await pair.destination.query('SELECT FROM orders WHERE id = 500')).rowCount, {
        timeout: 20_000,
      })
      .toBe(1);
  },
);
