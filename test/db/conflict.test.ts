/** `on_conflict: "last_update_wins"`: rows of the destination that are newer stay, and opposite pipelines settle. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { oppositeOf } from '../support/opposite.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const NEWEST = { ...ORDERS_CONFIG, on_conflict: 'last_update_wins' } as const;
const newest = (more: object = {}) => ({ ...ordersPreset, tables: [{ ...NEWEST, ...more }] });

async function verify(pair: Pair, args = '') {
  const result = await increp(`verify --json ${args}`, pair);
  return {
    exitCode: result.exitCode,
    stdout: result.stdout,
    ...result.json<{ tables: Record<string, unknown>[] }>().tables[0],
  };
}

const notes = async (client: Pair['source']) =>
  (await client.query<{ note: string }>('SELECT note FROM orders WHERE id <= 4 ORDER BY id')).rows.map(
    ({ note }) => note,
  );

/** Both sides change row 1 and 2: there the destination is newer, here the source. */
async function diverge(pair: Pair) {
  await pair.source.query(`
    UPDATE orders SET note = 'source', updated_at = now() WHERE id IN (1, 2, 3);
    UPDATE orders SET note = 'equal', updated_at = '2026-01-01' WHERE id = 4`);
  await pair.destination.query(`
    UPDATE orders SET note = 'destination', updated_at = now() + interval '1 min' WHERE id = 1;
    UPDATE orders SET note = 'destination', updated_at = now() - interval '1 min' WHERE id = 2;
    UPDATE orders SET note = 'destination', updated_at = '2026-01-01' WHERE id = 4;
    INSERT INTO orders (id, note, updated_at) VALUES (900, 'only here', now())`);
}

test('a newer row of the destination is left alone and counted; an older or equal one is not', async () => {
  await using pair = await freshPair(newest({ lookback: '10000d' }));
  await sync(pair);
  await diverge(pair);
  const result = (await sync(pair)).table();
  expect(result).toMatchObject({ rows_newer: 1, rows_updated: 3, rows_inserted: 0, rows_unchanged: 0 });
  expect(await notes(pair.destination)).toEqual(['destination', 'source', 'source', 'equal']);
  const { rows } = await pair.destination.query(
    'SELECT rows_newer::int FROM _increp_runs ORDER BY started_at DESC LIMIT 1',
  );
  expect(rows).toEqual([{ rows_newer: 1 }]);
  // What nobody has written since is not read again.
  await pair.source.query('UPDATE orders SET note = note WHERE id = 1');
  expect((await increp('sync', pair)).stdout).toContain('1 newer at the destination');
});

slowTest('a load takes nothing away, whatever only the destination has', async () => {
  await using pair = await freshPair(newest());
  await sync(pair);
  await diverge(pair);
  await pair.source.query('DELETE FROM orders WHERE id = 10');
  expect((await sync(pair, '--full-refresh')).table()).toMatchObject({
    action: 'full-refresh',
    ...{ rows_newer: 1, rows_updated: 3, rows_deleted: 0 },
  });
  await pair.source.query('ALTER TABLE orders ADD more int DEFAULT 7');
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_newer: 1, rows_deleted: 0 });
  const { rows } = await pair.destination.query(
    'SELECT id::int, more FROM orders WHERE id IN (1, 2, 10, 900) ORDER BY 1',
  );
  expect(rows).toEqual([
    { id: 1, more: null },
    { id: 2, more: 7 },
    { id: 10, more: null },
    { id: 900, more: null },
  ]);
  await increp('reset orders', pair);
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_deleted: 0 });
  await pair.source.query('ALTER TABLE orders ALTER total TYPE text');
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'SCHEMA_CHANGE_REFUSED',
    message: expect.stringContaining('it may hold rows that exist only at the destination'),
  });
});

test('verify calls neither newer rows nor those of the destination a difference, and repair leaves them', async () => {
  await using pair = await freshPair(newest());
  await sync(pair);
  await diverge(pair);
  // A load, because the row that was backdated lies below the window.
  await sync(pair, '--full-refresh --verify');
  // Below the window: what only a comparison finds.
  await pair.destination.query(`UPDATE orders SET note = 'damaged', updated_at = '2020-01-01' WHERE id = 5`);
  expect(await verify(pair)).toMatchObject({
    exitCode: 2,
    changed: 1,
    newer: 1,
    kept: 1,
    extra: 0,
    missing: 0,
  });
  expect((await increp('verify', pair)).stdout).toContain(
    'not counted as differences: 1 newer at the destination, 1 only at the destination, kept ("on_conflict": "last_update_wins")',
  );
  expect(await verify(pair, '--repair')).toMatchObject({ exitCode: 0, status: 'equal', newer: 1, kept: 1 });
  expect((await notes(pair.destination))[0]).toBe('destination');
});

test('a repair keeps rows of the destination, so they do not count toward delete_limit', async () => {
  await using pair = await freshPair(newest());
  await sync(pair);
  await pair.destination.query(
    `INSERT INTO orders (id, note, updated_at) SELECT id, 'own', now() FROM generate_series(900, 950) id;
     UPDATE orders SET note = 'damaged', updated_at = '2020-01-01' WHERE id = 5`,
  );
  expect(await verify(pair, '--repair')).toMatchObject({
    ...{ exitCode: 0, status: 'equal', kept: 51, repaired: { updated: 1, removed: 0 } },
    notes: [expect.stringContaining('most rows of the destination table are not at the source')],
  });
});

test('a row without a replication key is older than one that has one', async () => {
  await using pair = await freshPair({
    tables: [{ ...NEWEST, name: 'items', replication_key: 'at', null_keys: 'include', lookback: '1h' }],
    sourceSql: `CREATE TABLE items (id int PRIMARY KEY, note text, at timestamptz);
      INSERT INTO items VALUES (1, 'source', now()), (2, 'source', NULL), (3, 'source', NULL)`,
  });
  await sync(pair);
  await pair.destination.query(`UPDATE items SET note = 'destination', at = CASE WHEN id = 2 THEN now() END`);
  await pair.source.query('UPDATE items SET note = note');
  expect((await sync(pair)).table()).toMatchObject({ rows_newer: 1, rows_updated: 2 });
  const { rows } = await pair.destination.query('SELECT note FROM items ORDER BY id');
  expect(rows.map((row: { note: string }) => row.note)).toEqual(['source', 'destination', 'source']);
});

slowTest('two opposite pipelines with writers on both sides settle', { timeout: 120_000 }, async () => {
  await using there = await freshPair(newest());
  await sync(there);
  await using back = await oppositeOf(there, NEWEST);
  await sync(back, 'orders --adopt --force');
  let isWriting = true;
  const write = async (client: Pair['source'], name: string, firstId: number) => {
    for (let turn = 0; isWriting; turn += 1) {
      await client.query(
        `UPDATE orders SET note = '${name} ${turn}', updated_at = clock_timestamp() WHERE id = ${1 + (turn % 10)}`,
      );
      await client.query(
        `INSERT INTO orders (id, note, updated_at) VALUES (${firstId + turn}, '${name}', clock_timestamp())`,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const writers = [write(there.source, 'there', 1000), write(there.destination, 'back', 100_000)];
  for (let round = 0; round < 3; round += 1) await Promise.all([sync(there), sync(back)]);
  isWriting = false;
  await Promise.all(writers);
  // One in each direction brings what was still to come...
  await sync(there);
  await sync(back);
  await sync(there);
  await expectSameRows(there, 'orders');
  // ...and from then on nobody writes.
  for (const pair of [there, back, there, back])
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 0, rows_newer: 0 });
  expect((await there.source.query(`SELECT FROM orders WHERE id >= 1000`)).rowCount).toBeGreaterThan(20);
});

slowTest('plan and check say what the rule needs', async () => {
  await using pair = await freshPair(newest());
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toContain(
    'rows: a destination row with a newer updated_at is kept; no row is removed',
  );
  await sync(pair);
  await pair.destination.query(`
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
    CREATE FUNCTION trim_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := trim(NEW.note); RETURN NEW; END $$;
    CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
    CREATE TRIGGER trim_note BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION trim_note()`);
  const findings = async () =>
    (await increp('check --json', pair)).json<{ findings: { code: string; message: string }[] }>().findings;
  expect((await findings()).filter(({ code }) => code.startsWith('CONFLICT'))).toEqual([
    expect.objectContaining({
      code: 'CONFLICT_TRIGGER',
      message: expect.stringContaining('the trigger touch at the destination'),
    }),
  ]);
  await pair.writeTables([{ ...NEWEST, replication_key: 'id' }]);
  expect((await findings()).map(({ code }) => code)).toContain('CONFLICT_KEY');
});

slowTest('rows of an emptied table come back, and an unknown one keeps what it has', async () => {
  await using pair = await freshPair({
    ...newest(),
    destinationSql: `CREATE TABLE orders (id bigint PRIMARY KEY, total numeric(12,2), note text, updated_at timestamptz NOT NULL);
      INSERT INTO orders VALUES (1, 0, 'newer', '2100-01-01'), (800, 0, 'mine', now());
      INSERT INTO orders SELECT id, 0, 'mine', now() FROM generate_series(801, 830) id`,
  });
  expect((await sync(pair, 'orders --adopt')).table()).toMatchObject({
    action: 'initial',
    rows_newer: 1,
    rows_inserted: 9,
    rows_deleted: 0,
  });
  await insertOrders(pair, 1);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
  await pair.destination.query('TRUNCATE orders');
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: 11 });
  await expectSameRows(pair, 'orders');
});

slowTest('a history of runs from before rows were counted as newer goes on', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('ALTER TABLE _increp_runs DROP rows_newer');
  expect((await sync(pair)).stderr).not.toContain('history');
  const { rows } = await pair.destination.query(
    'SELECT rows_newer::int FROM _increp_runs ORDER BY started_at DESC LIMIT 1',
  );
  expect(rows).toEqual([{ rows_newer: 0 }]);
  expect((await increp('history --json', pair)).exitCode).toBe(0);
});
