/** A look at tables without changes costs about as much as \`increp sync\`, because it asks the same questions. */
import { expect, test } from 'vitest';
import { freshPair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { controlPlace } from '../support/service.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';

const names = Array.from({ length: 200 }, (_, number) => `t${number}`);

test('200 quiet tables through the service cost at most 1.5 times a sync', { timeout: 300_000 }, async () => {
  await using pair = await freshPair({
    sourceSql: names
      .map((name) => `${ORDERS_SQL.replaceAll('orders', name)}; INSERT INTO ${name} (id) VALUES (1)`)
      .join(';'),
  });
  const tables = names.map((name) => ({ ...ORDERS_CONFIG, name, initial_load: 'copy' }));
  await pair.writeTables({ schedule: { every: '1s' }, tables });
  for (let time = 0; time < 3; time += 1) await sync(pair, '', { timeout: 200_000 });
  const times: number[] = [];
  for (let time = 0; time < 5; time += 1) {
    const startedAt = performance.now();
    const { summary } = await sync(pair, '', { timing: {} });
    times.push((performance.now() - startedAt) / 1000);
    expect(summary.tables.every(({ rows_read }) => rows_read === 0)).toBe(true);
  }
  await using source = await faultProxy(pair.login('source'));
  await using destination = await faultProxy(pair.login('destination'));
  const addresses = (prefix: string) => ({
    [`${prefix}SOURCE_HOST`]: source.host,
    [`${prefix}SOURCE_PORT`]: String(source.port),
    [`${prefix}DEST_HOST`]: destination.host,
    [`${prefix}DEST_PORT`]: String(destination.port),
  });
  const roundTrips = () => source.roundTrips + destination.roundTrips;
  await sync(pair, '', { env: addresses(''), timing: {} });
  const tripsOfSync = roundTrips();
  await using control = await controlPlace();
  await control.add('shop', pair);
  control.start('serve --no-worker --listen 127.0.0.1:0');
  await control.until('SELECT FROM schedules');
  const worker = control.start('work --drain 30s');
  await control.until(`SELECT count(*) >= 6 FROM runs WHERE state = 'ok' AND quiet = 200`, 60_000);
  const looks = await control.rows<{ seconds: number }>(
    `SELECT extract(epoch FROM finished_at - started_at)::float8 AS seconds FROM attempts
     WHERE table_name IS NULL AND state = 'done' ORDER BY id`,
  );
  expect(await control.rows('SELECT FROM attempts WHERE table_name IS NOT NULL')).toEqual([]);
  const median = (values: readonly number[]) =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const [whole, look] = [median(times), median(looks.map(({ seconds }) => seconds))];
  await worker.stop();
  const LOOKS = `SELECT count(*)::int AS count FROM attempts WHERE table_name IS NULL AND state = 'done'`;
  const countLooks = async () => (await control.rows<{ count: number }>(LOOKS))[0]?.count ?? 0;
  const [earlier, other] = [
    await countLooks(),
    control.start('work --drain 30s', { env: addresses('SHOP_') }),
  ];
  const before = roundTrips();
  await control.until(
    `SELECT count(*) >= ${earlier + 4} FROM attempts WHERE table_name IS NULL AND state = 'done'`,
  );
  await other.stop();
  const tripsOfLook = (roundTrips() - before) / ((await countLooks()) - earlier);
  console.log(`200 quiet tables: round trips of a sync ${tripsOfSync}, of a look ${tripsOfLook.toFixed(1)}`);
  expect(tripsOfLook).toBeLessThan(1.5 * tripsOfSync);
  console.log(`200 quiet tables: sync ${whole.toFixed(2)} s, look ${look.toFixed(2)} s`);
  expect(look).toBeLessThan(1.5 * whole);
});
