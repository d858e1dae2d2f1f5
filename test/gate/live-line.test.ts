/** What a person sees on a terminal while a sync runs. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { displayWidth } from '../../src/report/text.ts';
import { big, goThrough } from '../support/chunked.ts';
import { startIncrep } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { inTerminal } from '../support/pseudo-terminal.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';
import { webhookServer } from '../support/webhook-server.ts';

const MANY = 40_000;
const LONG = `customers_${'x'.repeat(48)}`;

/** A table of about 5 MB between two small ones. */
const shop = (loader = 'copy') => ({
  tables: [
    { ...ORDERS_CONFIG, initial_load: 'copy' },
    { ...ORDERS_CONFIG, name: 'events', initial_load: loader },
    { ...ORDERS_CONFIG, name: LONG, initial_load: 'copy' },
  ],
  sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE ${LONG} (LIKE orders INCLUDING ALL); INSERT INTO ${LONG} TABLE orders;
    ${ORDERS_SQL.replaceAll('orders', 'events')};
    INSERT INTO events (id, note) SELECT i, repeat('note ', 20) || i FROM generate_series(1, ${MANY}) i; ANALYZE events`,
});

async function slowly(pair: Pair, bytesPerSecond: number) {
  const proxy = await faultProxy(pair.login('source'));
  await goThrough(pair, 'source', proxy);
  proxy.throttle(bytesPerSecond);
  return proxy;
}

const COPYING =
  /^\[2\/3\] events: copying about \d+%, [\d.]+k? rows, [\d.]+ [kM]B, [\d.]+ [kM]B\/s, \d+ (s|min) left$/;

for (const loader of oneIn(2, ['pg_dump', 'copy'])) {
  test(`by ${loader}: finished tables stay, the running one is told with its share and the time that is left`, async () => {
    await using pair = await freshPair(shop(loader));
    await using proxy = await slowly(pair, 600_000);
    await using terminal = inTerminal('sync', pair);
    const first = await terminal.waitForLine(COPYING);
    const share = (line: string) => Number(/about (\d+)%/.exec(line)?.[1]);
    const lines = terminal.screen.lines();
    expect(lines[0]).toMatch(/^✓ ok +orders +initial +\d/);
    expect(lines.slice(1, -1)).toEqual(['    10 read, 10 inserted']);
    const later = await terminal.waitForLine(new RegExp(`about ${share(first) + 10}%|[6-9]\\d%`));
    expect(share(later)).toBeGreaterThan(share(first));
    await proxy.resume();
    expect(await terminal.wait()).toBe(0);
    const told = terminal.screen.lines();
    expect(
      told
        .filter((line) => /^(✓|✗|-) /.test(line))
        .map((line) => /(orders|events|customers)/.exec(line)?.[0]),
    ).toEqual(['orders', 'events', 'customers']);
    expect(told.at(-1)).toMatch(/^3 tables ok in/);
    expect(told.join('\n')).not.toContain('[');
    for (const line of told) expect(displayWidth(line)).toBeLessThanOrEqual(80);
    expect(terminal.screen.cursor()).toMatchObject({ x: 0, isVisible: true });
  });
}

test('in chunks it says how many are done', async () => {
  await using pair = await freshPair(big());
  await using proxy = await slowly(pair, 1_000_000);
  await using terminal = inTerminal('sync', pair);
  await terminal.waitForLine(/^\[1\/1\] big: copying \([2-9] of 1\d chunks done\), [\d.]+k rows/);
  await proxy.resume();
  expect(await terminal.wait()).toBe(0);
});

slowTest('a terminal that is made narrower has one live line, and nothing wraps', async () => {
  await using pair = await freshPair(shop());
  await using proxy = await slowly(pair, 400_000);
  await using terminal = inTerminal('sync', pair, { rows: 20 });
  await terminal.waitForLine(COPYING);
  await terminal.resize(40, 10);
  const line = await terminal.waitForLine(/^\[2\/3\] events: copying about \d+%$/);
  expect(displayWidth(line)).toBeLessThanOrEqual(39);
  expect(terminal.screen.lines().filter((shown) => shown.includes('[2/3]'))).toEqual([line]);
  await proxy.resume();
  expect(await terminal.wait()).toBe(0);
  expect(terminal.screen.lines().join('\n')).not.toContain('[');
});

test('a failed table and warnings stand there at once, and not again at the end', async () => {
  await using pair = await freshPair(shop());
  await pair.destination.query('CREATE VIEW orders AS SELECT 1 AS one');
  await using proxy = await slowly(pair, 600_000);
  await using terminal = inTerminal('sync', pair);
  await terminal.waitForLine(COPYING);
  const shown = terminal.screen.lines().join('\n');
  expect(shown).toMatch(/^✗ FAILED +orders/m);
  expect(shown).toMatch(/^ {4}error: public\.orders at the destination is a view/m);
  expect(shown).toMatch(/^ {6}next: Rename it/m);
  await proxy.resume();
  expect(await terminal.wait()).toBe(3);
  const told = terminal.screen.lines().join('\n');
  expect(told.match(/FAILED/g)).toHaveLength(1);
  expect(told).toMatch(/^2 tables ok, 1 failed in/m);
});

test('Ctrl-C says what happens, and leaves a clean terminal', async () => {
  await using pair = await freshPair(shop());
  await using _ = await slowly(pair, 100_000);
  await using terminal = inTerminal('sync', pair);
  await terminal.waitForLine(/^\[2\/3\] events: copying/);
  terminal.type('\u0003');
  expect(await terminal.wait()).toBe(130);
  const told = terminal.screen.lines();
  expect(told).toContain('stopping: uncommitted work is rolled back; press Ctrl-C again to stop at once');
  expect(told.filter((line) => line.includes('[2/3]'))).toEqual([]);
  expect(told.join('\n')).toMatch(/^- interrupted +events[^]*interrupted: stopped by SIGINT/m);
  expect(terminal.screen.cursor()).toMatchObject({ x: 0, isVisible: true });
});

test('a webhook that hangs is named, and Ctrl-C does not say that the tables are rolled back', async () => {
  await using pair = await freshPair('orders');
  await using server = await webhookServer('hang');
  await pair.setEnv({ WEBHOOK_URL: server.url });
  await using terminal = inTerminal('sync', pair);
  await terminal.waitForLine(/^\[1\/1\] waiting .*for the webhook, attempt 1 of 3/);
  terminal.type('\u0003');
  await terminal.wait();
  expect(terminal.screen.lines().join('\n')).toMatch(
    /stopping: all tables are finished, and only messages about the run are left/,
  );
});

slowTest('whoever waits for another run, or for a transaction, says for whom', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  const open = await pair.source.connect();
  await open.query(`SET application_name = 'nightly report'; BEGIN; SELECT FROM orders`);
  await using fenced = startIncrep('sync -v --wait-transactions 40s', pair);
  await fenced.waitForStderr('waiting for an open transaction: pid');
  await using locked = inTerminal('sync --wait-lock 40s', pair);
  await locked.waitForLine(/^\[1\/1\] orders: waiting \d s for another run: process \d+ on /);
  fenced.kill();
  await fenced.wait();
  await locked.waitForLine(/^\[1\/1\] orders: waiting \d s for an open transaction: pid \d+, user \w+,/);
  await open.query('COMMIT');
  open.release(true);
  expect(await locked.wait()).toBe(0);
});

slowTest('whoever waits to put a table in place says who has it', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query('ALTER TABLE orders ADD gift boolean');
  const reader = await pair.destination.connect();
  await reader.query(`SET application_name = 'dashboard'; BEGIN; SELECT FROM orders`);
  await using terminal = inTerminal('sync', pair);
  await terminal.waitForLine(/^\[1\/1\] orders: waiting \d s for pid \d+ \(dashboard\) of /);
  await reader.query('COMMIT');
  reader.release();
  expect(await terminal.wait()).toBe(0);
});

slowTest(
  'stdout in a file, stderr on the terminal: the line is there, the summary is whole in the file',
  async () => {
    await using pair = await freshPair(shop());
    await using proxy = await slowly(pair, 600_000);
    await using terminal = inTerminal('sync', pair, { redirections: '>out' });
    await terminal.waitForLine(COPYING);
    expect(terminal.screen.lines()).toHaveLength(1);
    await proxy.resume();
    expect(await terminal.wait()).toBe(0);
    expect(terminal.screen.lines()).toEqual([]);
    const text = await readFile(join(pair.directory, 'out'), 'utf8');
    expect(text).toMatch(/^✓ ok +orders[^]*^✓ ok +events[^]*^3 tables ok in/m);
    for (const byte of ['\u001b', '\r']) expect(text).not.toContain(byte);
  },
);

slowTest(
  'stdout on the terminal, stderr in a file: the line is there, the log is whole in the file',
  async () => {
    await using pair = await freshPair(shop());
    await pair.setEnv({ LOG_FORMAT: 'json' });
    await using proxy = await slowly(pair, 600_000);
    await using terminal = inTerminal('sync', pair, { redirections: '2>log' });
    await terminal.waitForLine(COPYING);
    await proxy.resume();
    expect(await terminal.wait()).toBe(0);
    const log = await readFile(join(pair.directory, 'log'), 'utf8');
    expect(log).toMatch(/"msg":"run started"[^]*"table":"events"[^]*"msg":"run finished/);
    for (const byte of ['\u001b', '\r']) expect(log).not.toContain(byte);
  },
);

slowTest('verify shows the table that it compares', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const holder = await pair.source.connect();
  await holder.query('BEGIN; LOCK TABLE orders');
  await using terminal = inTerminal('verify', pair);
  await terminal.waitForLine(/^\[1\/1\] orders: comparing both sides, \d+ s$/);
  await holder.query('ROLLBACK');
  expect(await terminal.wait()).toBe(0);
  const lines = terminal.screen.lines().join('\n');
  expect(lines).toMatch(/^= orders {2}equal: .*\n(?: {4}.*\n)?1 table: 1 equal in [\d.]+ s/m);
  expect(lines).not.toContain('[1/1]');
});
