/**
 * The memory that increp takes does not grow with what it carries. Some hundred thousand rows show that;
 * INCREP_TEST_ROWS=10000000 takes ten million, and an hour.
 */
import process from 'node:process';
import { expect, test } from 'vitest';
import { measured } from '../support/memory.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { freshSeveral } from '../support/several.ts';
import { hasPgDump } from '../support/pg-dump-here.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';

const ROWS = Number(process.env['INCREP_TEST_ROWS'] ?? 300_000);
const TIMEOUT = 120_000 * Math.max(1, ROWS / 300_000);
/** Megabytes, of a table of any size. */
const LIMIT = 150;
/** Its pieces of 64 kB are garbage at once, but next to nothing else is, and that is what makes V8 collect. */
const LIMIT_WITH_LARGE_ROW = 200;
const LARGE_ROW = 100_000_000;

const LOADERS = hasPgDump() ? (['copy', 'pg_dump'] as const) : (['copy'] as const);

async function expectWithin(limit: number, args: string, pair: Pair): Promise<void> {
  const { exitCode, stderr, peakMegabytes } = await measured(args, pair, { timeout: TIMEOUT });
  expect(exitCode, stderr).toBe(0);
  process.stderr.write(`  ${peakMegabytes.toFixed(0)} MB at most: increp ${args}\n`);
  expect(peakMegabytes).toBeGreaterThan(30);
  expect(peakMegabytes, `increp ${args}`).toBeLessThan(limit);
}

const manyOrders = (rows: number) =>
  `${ORDERS_SQL}; INSERT INTO orders (id, total, note)
   SELECT i, i, repeat('note ', 40) || i FROM generate_series(1, ${rows}) i`;

/** One checksum on either side: a comparison of ten million rows in a test would itself take gigabytes. */
async function expectSameContent(pair: Pair, table: string): Promise<void> {
  const sum = `SELECT count(*), sum(hashtextextended(t::text, 0)) FROM ${table} t`;
  const [source, destination] = await Promise.all([pair.source.query(sum), pair.destination.query(sum)]);
  expect(destination.rows).toEqual(source.rows);
}

async function expectSameLargeRows(pair: Pair): Promise<void> {
  const select =
    'SELECT id, total, md5(note) AS note, md5(bytes) AS bytes, updated_at::text FROM orders ORDER BY id';
  const [source, destination] = await Promise.all([
    pair.source.query(select),
    pair.destination.query(select),
  ]);
  expect(destination.rows).toEqual(source.rows);
}

test.skipIf(process.platform !== 'linux').each(LOADERS)(
  `${ROWS} rows: loaded by %s, all changed, compared, repaired`,
  { timeout: TIMEOUT },
  async (loader) => {
    await using pair = await freshPair({
      tables: [
        { ...ORDERS_CONFIG, initial_load: loader, deletes: 'hard', deletes_every: '0s', delete_limit: 1 },
      ],
      sourceSql: manyOrders(ROWS),
    });
    await expectWithin(LIMIT, 'sync', pair);
    if (loader === 'pg_dump') return await expectSameContent(pair, 'orders');
    await pair.source.query(`DELETE FROM orders WHERE id % 5 = 0`);
    await pair.source.query(`UPDATE orders SET total = total + 1, updated_at = now()`);
    await expectWithin(LIMIT, 'sync', pair);
    await expectWithin(LIMIT, 'verify', pair);
    await pair.destination.query(`UPDATE orders SET note = note || '!' WHERE id % 3 = 0`);
    await expectWithin(LIMIT, 'verify --repair', pair);
    await expectSameContent(pair, 'orders');
  },
);

test.skipIf(process.platform !== 'linux').each(LOADERS)(
  'a row of 100 MB: loaded by %s, changed, compared',
  { timeout: TIMEOUT },
  async (loader) => {
    await using pair = await freshPair({
      tables: [{ ...ORDERS_CONFIG, initial_load: loader }],
      sourceSql: `${ORDERS_SQL}; ALTER TABLE orders ADD COLUMN bytes bytea;
        INSERT INTO orders (id, note, bytes)
        VALUES (1, repeat('0123456789', ${LARGE_ROW / 10}), NULL), (2, NULL, convert_to(repeat('0123456789', ${LARGE_ROW / 10}), 'UTF8'))`,
    });
    await expectWithin(LIMIT_WITH_LARGE_ROW, 'sync', pair);
    if (loader === 'pg_dump') return await expectSameLargeRows(pair);
    await pair.source.query(`UPDATE orders SET total = 1, note = reverse(note), updated_at = now()`);
    await expectWithin(LIMIT_WITH_LARGE_ROW, 'sync', pair);
    await expectWithin(LIMIT_WITH_LARGE_ROW, 'verify', pair);
    await expectSameLargeRows(pair);
  },
);

test.skipIf(process.platform !== 'linux')(
  'it does not grow with several destinations either, also when one destination is slower than the other',
  { timeout: 120_000 },
  async () => {
    await using pair = await freshSeveral({
      tables: [{ ...ORDERS_CONFIG, initial_load: 'copy' }],
      sourceSql: manyOrders(300_000),
    });
    await using slow = await faultProxy(pair.copy('two').side.superuser);
    slow.throttle(15_000_000);
    await pair.setUrls({ two: pair.copy('two').url(slow) });
    const { exitCode, stderr, peakMegabytes } = await measured('sync', pair, { timeout: 100_000 });
    expect(exitCode, stderr).toBe(0);
    expect(peakMegabytes).toBeGreaterThan(30);
    // Of one destination it is under 150.
    expect(peakMegabytes).toBeLessThan(170);
  },
);
