/** A service whose only table has new rows, and networks between it and one of the workers that can fail. */
import { expect } from 'vitest';
import { increp } from './increp.ts';
import { freshPair, type Pair, type PairOptions } from './pair.ts';
import { faultProxy, type FaultProxy } from './proxy.ts';
import { controlPlace, type ControlPlace } from './service.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from './shop.ts';
import { sync } from './sync.ts';

/** New rows, of 200 bytes. */
export const ROWS = 3000;

export interface Scene extends AsyncDisposable {
  readonly pair: Pair;
  readonly control: ControlPlace;
  readonly source: FaultProxy;
  readonly destination: FaultProxy;
  readonly queue: FaultProxy;
  /** The connections of a worker go through the proxies. */
  readonly env: Readonly<Record<string, string>>;
  /** The control database through its proxy. */
  readonly url: string;
}

interface SceneOptions {
  /** Of the table. */
  readonly table?: object;
  readonly every?: string;
  /** False if the test starts it. */
  readonly isServed?: boolean;
  /** The database, and what has changed in it since the last sync. By default, there are 3,000 new rows. */
  readonly data?: PairOptions;
  readonly prepare?: (pair: Pair) => Promise<unknown>;
}

async function addOrders(pair: Pair): Promise<void> {
  await sync(pair);
  await pair.source.query(
    `INSERT INTO orders (id, note) SELECT i, repeat('x', 200) FROM generate_series(1000, ${ROWS + 999}) i`,
  );
}

export async function changedOrders({
  table = {},
  every = '1h',
  isServed = true,
  data = {},
  prepare = addOrders,
}: SceneOptions = {}): Promise<Scene> {
  await using made = new AsyncDisposableStack();
  const pair = made.use(
    await freshPair({
      sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, note) VALUES (1, 'first'), (2, 'second')`,
      ...data,
    }),
  );
  const [first = ORDERS_CONFIG] = data.tables ?? [];
  await pair.writeTables({ schedule: { every }, tables: [{ ...first, ...table }] });
  await prepare(pair);
  const control = made.use(await controlPlace());
  const { hostname: host, port } = new URL(control.url);
  const [source, destination, queue] = [
    made.use(await faultProxy(pair.login('source'))),
    made.use(await faultProxy(pair.login('destination'))),
    made.use(await faultProxy({ host, port: Number(port) })),
  ];
  await control.add('shop', pair);
  if (isServed) {
    control.start('serve --no-worker --listen 127.0.0.1:0');
    await control.until('SELECT FROM schedules');
  }
  const env = {
    ...{ SHOP_SOURCE_HOST: source.host, SHOP_SOURCE_PORT: String(source.port) },
    ...{ SHOP_DEST_HOST: destination.host, SHOP_DEST_PORT: String(destination.port) },
  };
  const url = control.url.replace(`${host}:${port}`, `${queue.host}:${queue.port}`);
  const owned = made.move();
  return {
    ...{ pair, control, source, destination, queue, env, url },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The attempts at the table, the oldest first. */
export const attemptsOf = async (control: ControlPlace): Promise<string[]> =>
  (
    await control.rows<{ state: string }>(
      `SELECT state FROM attempts WHERE table_name = 'orders' ORDER BY id`,
    )
  ).map(({ state }) => state);

/** In the phase in which the test holds it. */
export const untilPhase = (control: ControlPlace, phase: string): Promise<void> =>
  control.until(
    `SELECT FROM attempts WHERE table_name = 'orders' AND state = 'running' AND phase = '${phase}'`,
  );

/** As a person would check it. */
export async function expectVerified(pair: Pair): Promise<void> {
  const { exitCode, stdout, stderr } = await increp('verify', pair);
  expect(exitCode, stdout + stderr).toBe(0);
}

/** The queue allows no heartbeat below 10 seconds. For lost workers, that time is over now. */
export const forgetLostWorkers = (control: ControlPlace): Promise<object[]> =>
  control.rows(`UPDATE job SET heartbeat_on = now() - interval '1 hour' WHERE state = 'active'`);
