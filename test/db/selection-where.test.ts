/** Rows that are read with `where`: in windows and chunks, after late transactions, and when rows leave the condition. */
import { describe, expect, test } from 'vitest';
import { BIG, chunked, goThrough, killAfter } from '../support/chunked.ts';
import { CUSTOMERS, expectCopyOf, selecting, touch } from '../support/customers.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

describe('rows that leave the condition', () => {
  const active = (change: object) => selecting({ where: "status = 'active'", ...change });
  const leave = (pair: Pair) =>
    pair.source.query(`UPDATE customers SET status = 'closed', updated_at = now() WHERE id IN (1, 2);
      UPDATE customers SET status = 'active', updated_at = now() WHERE id = 3; DELETE FROM customers WHERE id = 4`);

  test('are removed where deletes are hard', async () => {
    await using pair = await freshPair(active({ deletes: 'hard', deletes_every: '0s' }));
    await sync(pair);
    await leave(pair);
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, rows_deleted: 3 });
    await expectCopyOf(pair, "SELECT * FROM public.customers WHERE status = 'active'");
  });

  slowTest('are marked where deletes are soft, and unmarked when they are back', async () => {
    await using pair = await freshPair(active({ deletes: 'soft', deletes_every: '0s' }));
    await sync(pair);
    await leave(pair);
    expect((await sync(pair)).table()).toMatchObject({ rows_deleted: 3 });
    const copy = `SELECT id, email, phone, status, password_hash, updated_at FROM public.customers WHERE _deleted_at IS NULL`;
    await expectCopyOf(pair, "SELECT * FROM public.customers WHERE status = 'active'", copy);
    await touch(pair, "status = 'active'", 'id = 1');
    await sync(pair);
    await expectCopyOf(pair, "SELECT * FROM public.customers WHERE status = 'active'", copy);
    expect((await increp('verify', pair)).exitCode).toBe(0);
  });

  slowTest(
    'stay where deletes are ignored, which check says beforehand and verify counts; a repair removes them',
    async () => {
      await using pair = await freshPair(active({}));
      expect((await increp('check', pair)).stdout).toContain('[WHERE_LEAVES_ROWS]');
      await sync(pair);
      await leave(pair);
      expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, rows_deleted: 0 });
      const { tables } = (await increp('verify --json', pair)).json<{ tables: object[] }>();
      expect(tables[0]).toMatchObject({ status: 'different', extra: 3, missing: 0, changed: 0 });
      await increp('verify --repair', pair);
      await expectCopyOf(pair, "SELECT * FROM public.customers WHERE status = 'active'");
    },
  );
});

describe('a window in which nobody has written', () => {
  const read = async (pair: Pair) => (await sync(pair)).table().rows_read;

  test('is not read again where the row alone decides', async () => {
    await using pair = await freshPair(
      selecting({ where: "status = 'active'", transform: { email: 'lower(email)' }, lookback: '30d' }),
    );
    await sync(pair);
    expect(await read(pair)).toBe(0);
    await touch(pair, "email = 'X'", 'id = 1');
    expect(await read(pair)).toBeGreaterThan(0);
    expect(await read(pair)).toBe(0);
  });

  test.each(
    oneIn(2, [
      ['another table', 'id <> 99 OR EXISTS (SELECT FROM public.vips v WHERE v.id = customers.id)'],
      ['the clock', `id <> 99 OR now() > '%'`],
    ] as const),
  )('is read where %s decides as well', async (what, where) => {
    await using pair = await freshPair({
      ...selecting({ lookback: '30d' }),
      sourceSql: `${CUSTOMERS}; CREATE TABLE vips (id int)`,
    });
    const { rows } = await pair.source.query<{ at: string }>(
      `SELECT (clock_timestamp() + interval '8 s')::text AS at`,
    );
    await pair.writeTables([
      {
        ...selecting({}).tables?.[0],
        name: 'customers',
        lookback: '30d',
        where: where.replace('%', rows[0]?.at ?? ''),
      },
    ]);
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 99 });
    // Nobody writes the row itself.
    if (what === 'the clock') await pair.source.query(`SELECT pg_sleep_until('${rows[0]?.at ?? ''}')`);
    else await pair.source.query('INSERT INTO vips VALUES (99)');
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
    await expectCopyOf(pair, 'SELECT * FROM public.customers');
  });
});

test('a transaction that commits late brings its rows, as far as they meet the condition', async () => {
  await using pair = await freshPair(
    selecting({ where: 'id % 2 = 0', transform: { email: 'md5(email)' }, lookback: '0s' }),
  );
  await sync(pair, '--wait-transactions 50ms');
  const late = await pair.source.connect();
  await late.query('BEGIN; SELECT now()');
  await pair.source.query('INSERT INTO customers (id, email) SELECT i, i FROM generate_series(201, 210) i');
  await sync(pair, '--wait-transactions 50ms');
  await late.query(`INSERT INTO customers (id, email) VALUES (300, 'late'), (301, 'late'); COMMIT`);
  late.release();
  expect((await sync(pair, '--wait-transactions 50ms')).table()).toMatchObject({ rows_inserted: 1 });
  await expectCopyOf(
    pair,
    'SELECT id, md5(email), phone, status, password_hash, updated_at FROM public.customers WHERE id % 2 = 0',
  );
});

slowTest('a load in chunks reads the same rows, and what changes meanwhile', async () => {
  const chunky = chunked('big', { where: 'id % 3 <> 0', transform: { note: "left(note, 20) || '...'" } });
  await using pair = await freshPair({ tables: [chunky], sourceSql: BIG });
  const result = (await sync(pair)).table();
  expect(result.reason).toMatch(/in \d+ chunks$/);
  expect(result).toMatchObject({ rows_inserted: 13_334, warnings: [] });
  const select = `SELECT id, left(note, 20) || '...', updated_at FROM public.big WHERE id % 3 <> 0`;
  await expectCopyOf(pair, select, 'SELECT * FROM public.big');
  await pair.source.query(
    `UPDATE big SET note = 'new', updated_at = now() WHERE id < 10; DELETE FROM big WHERE id = 10`,
  );
  await sync(pair, '--full-refresh --verify');
  await expectCopyOf(pair, select, 'SELECT * FROM public.big');
});

slowTest('a load in chunks that was broken off does not go on with another selection', async () => {
  await using pair = await freshPair({ tables: [chunked('big', { where: 'id > 0' })], sourceSql: BIG });
  await killAfter(pair, 3);
  await pair.writeTables([chunked('big', { where: 'id > 10' })]);
  expect((await sync(pair)).table().reason).toContain('the selected rows or columns changed');
  await expectCopyOf(pair, 'SELECT * FROM public.big WHERE id > 10', 'SELECT * FROM public.big');
});

slowTest(
  'another table that an expression reads is rewritten at the wrong moment: nothing is lost',
  async () => {
    await using pair = await freshPair({
      ...selecting({ where: 'EXISTS (SELECT FROM public.vips v WHERE v.id = customers.id)' }),
      sourceSql: `${CUSTOMERS}; CREATE TABLE vips (id int); INSERT INTO vips SELECT generate_series(1, 50);
      GRANT SELECT ON vips TO PUBLIC`,
    });
    await using proxy = await faultProxy(pair.login('source'));
    await goThrough(pair, 'source', proxy);
    proxy.when({ from: 'client', seen: 'AS described LIMIT 0', after: 'REPEATABLE READ', fault: 'stall' });
    await using running = startIncrep('sync --json', pair);
    await proxy.waitUntilFired();
    await pair.source.query('ALTER TABLE vips ALTER id TYPE bigint');
    await proxy.resume();
    const result = await running.wait();
    expect(result.stderr).toContain('SCHEMA_CHANGED');
    expect(result.exitCode).toBe(0);
    await expectCopyOf(pair, 'SELECT * FROM public.customers WHERE id <= 50');
  },
);

test('a where that few rows meet costs no scan of the rows above them, with a partial index', async () => {
  await using pair = await freshPair(selecting({ where: `status = 'rare'` }));
  await pair.source.query(`
    INSERT INTO customers (id, status) SELECT 1000 + i, 'active' FROM generate_series(1, 5000) i;
    UPDATE customers SET status = 'rare', updated_at = now() - interval '300 hours' WHERE id = 1;
    CREATE INDEX ON customers (updated_at) WHERE status = 'rare'; ANALYZE customers`);
  await sync(pair);
  const read = async () => {
    const { rows } = await pair.source.query<{ tuples: string }>(
      `SELECT seq_tup_read + idx_tup_fetch AS tuples FROM pg_stat_all_tables WHERE relid = 'customers'::regclass`,
    );
    return Number(rows[0]?.tuples);
  };
  const before = await read();
  await pair.source.query(`INSERT INTO customers (id) VALUES (9001)`);
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 0 });
  await pair.source.query(`UPDATE customers SET updated_at = now() WHERE id = 1`);
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 1, rows_updated: 1 });
  await expect.poll(read).toBeGreaterThan(before);
  // The load reads all rows once, and its session may report that late.
  expect((await read()) - before).toBeLessThan(2 * 5100);
});
