/** `sync --verify`: what was copied is compared before it is committed. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { testWithPgDump } from '../support/pg-dump.ts';
import { LOADERS_TRIED, oneIn } from '../support/tier.ts';

/** Runs it before each row that is written to the destination's orders. */
const onWrite = (pair: Pair, statements: string) =>
  pair.destination.query(`CREATE OR REPLACE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN ${statements} RETURN new; END$$;
    CREATE OR REPLACE TRIGGER meddle BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION meddle()`);

for (const loader of LOADERS_TRIED) {
  testWithPgDump(
    `it passes for good data, loaded by ${loader} and incrementally, with and without deletes`,
    async () => {
      await using pair = await freshPair({
        ...ordersPreset,
        tables: [{ ...ORDERS_CONFIG, initial_load: loader, deletes: 'soft', deletes_every: '0s' }],
      });
      const loaded = (await sync(pair, '--verify')).table();
      expect(loaded).toMatchObject({ action: 'initial', loader, rows_inserted: 10 });
      await insertOrders(pair, 3);
      await pair.source.query(`UPDATE orders SET note = NULL, updated_at = now() WHERE id = 1;
      DELETE FROM orders WHERE id = 2`);
      const expected = { action: 'incremental', rows_inserted: 3, rows_updated: 1, rows_deleted: 1 };
      expect((await sync(pair, '--verify')).table()).toMatchObject(expected);
      expect((await sync(pair, '--verify --full-refresh')).table()).toMatchObject({ rows_unchanged: 12 });
      await pair.source.query('ALTER TABLE orders ADD extra int DEFAULT 1');
      expect((await sync(pair, '--verify')).table()).toMatchObject({ action: 'reset', rows_updated: 12 });
      expect((await increp('verify', pair)).exitCode).toBe(0);
    },
  );
}

for (const [what, statements, kind] of oneIn(3, [
  ['alters a value', `new.note := new.note || ' ';`, 'changed'],
  ['moves the replication key', `new.updated_at := '2001-01-01';`, 'missing'],
  ['drops a row', `IF new.id = 11 THEN RETURN NULL; END IF;`, 'missing'],
] as const)) {
  test(`a destination that ${what} fails the run, and nothing of it stays`, async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await insertOrders(pair, 1);
    await onWrite(pair, statements);
    const before = await pair.destination.query('SELECT * FROM orders ORDER BY id');
    for (const args of ['--verify', '--verify --full-refresh']) {
      const failed = await trySync(pair, args);
      expect(failed.exitCode, args).toBe(2);
      expect(failed.table(), args).toMatchObject({
        status: 'failed',
        error: {
          code: 'VERIFY_FAILED',
          message: expect.stringMatching(/differs from the source after it was copied/),
        },
      });
      if (args === '--verify') expect(failed.table().error?.message).toContain(`(${kind})`);
      expect((await pair.destination.query('SELECT * FROM orders ORDER BY id')).rows).toEqual(before.rows);
    }
    await pair.destination.query('DROP TRIGGER meddle ON orders');
    expect((await sync(pair, '--verify')).table()).toMatchObject({ rows_inserted: 1 });
    await expectSameRows(pair, 'orders');
  });
}

test('rows that share their key at the source are no failure: the newest is what was to arrive', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'items', replication_key: 'at', unique_cols: ['a'] }],
    sourceSql: `CREATE TABLE items (a int, note text, at timestamptz);
      INSERT INTO items VALUES (1, 'old', now() - interval '5 s'), (1, 'new', now()), (2, NULL, now()), (3, 'x', NULL)`,
  });
  expect((await sync(pair, '--verify')).table()).toMatchObject({ rows_inserted: 3 });
  await pair.source.query(`INSERT INTO items VALUES (1, 'newer', now())`);
  expect((await sync(pair, '--verify')).table()).toMatchObject({ rows_updated: 1 });
});

test('rows only at the destination are no known difference after a sync has removed them', async () => {
  await using pair = await freshPair({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, deletes: 'hard' }] });
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id > 2');
  expect((await increp('verify', pair)).exitCode).toBe(2);
  expect((await trySync(pair, '--deletes')).table()).toMatchObject({
    error: { code: 'DELETE_LIMIT_EXCEEDED' },
  });
  expect((await increp('status', pair)).stdout).toContain('ago: 8 extra');
  const { stdout, stderr } = await increp('sync --deletes --force', pair);
  expect(`${stdout}${stderr}`).not.toContain('a comparison found differences');
  expect((await increp('status --exit-code', pair)).exitCode).toBe(0);
});

test('duplicates of the source stay a known difference until a load or a comparison finds none', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'items', replication_key: 'at', unique_cols: ['a'] }],
    sourceSql: `CREATE TABLE items (a int, at timestamptz); INSERT INTO items VALUES (1, now()), (1, now()), (2, now())`,
  });
  await sync(pair);
  expect((await increp('verify', pair)).exitCode).toBe(2);
  const reload = async () => {
    await increp('reset items', pair);
    await sync(pair);
    return (await increp('status', pair)).stdout;
  };
  expect(await reload()).toMatch(/^different {2}items .*\n {4}a comparison found .* ago: 1 duplicated/m);
  await pair.source.query('DELETE FROM items WHERE ctid = (SELECT min(ctid) FROM items WHERE a = 1)');
  expect(await reload()).toMatch(/^ok +items /m);
});

test('a difference that a plain sync commits stays known until a comparison finds the table equal', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await insertOrders(pair, 1);
  await onWrite(pair, `new.note := 'other';`);
  expect((await trySync(pair, '--verify')).exitCode).toBe(2);
  await sync(pair);
  const status = await increp('status --exit-code', pair);
  expect(status.exitCode).toBe(2);
  expect(status.stdout).toMatch(
    /^different {2}orders .*\n {4}a comparison found differences .* ago: the row/m,
  );
  expect(status.stdout).toMatch(/next: Run:\n +increp verify orders$/m);
  const warned = await increp('sync --quiet', pair);
  expect(warned.stdout).toMatch(
    /warning: a comparison found differences in orders before this run, at .*Z; to/,
  );
  expect((await increp('sync --quiet', pair)).stdout).toBe('');
  expect((await increp('verify', pair)).exitCode).toBe(2);
  expect((await increp('status', pair)).stdout).toContain('ago: 1 changed');
  await pair.destination.query('DROP TRIGGER meddle ON orders');
  expect((await increp('verify --repair', pair)).exitCode).toBe(0);
  expect((await increp('status --exit-code', pair)).exitCode).toBe(0);
});
