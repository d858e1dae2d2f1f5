/** Wrong rows of destination tables: found, named by key, and repaired without a change of other rows. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { insertOrders } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';
import { EQUAL, NONE, oldOrders, verify } from '../support/verify.ts';

/** Where every row is, and since which transaction. */
const placesOf = async (pair: Pair, where: string) =>
  (await pair.destination.query(`SELECT id, ctid::text, xmin::text FROM orders WHERE ${where} ORDER BY id`))
    .rows;

/** What a hand does at the destination, and what of it is found. */
const PLANTED: readonly (readonly [
  what: string,
  change: string,
  kind: keyof typeof NONE,
  keys: string[][],
])[] = [
  ['a missing row', 'DELETE FROM orders WHERE id IN (3, 4)', 'missing', [['3'], ['4']]],
  ['an extra row', `INSERT INTO orders VALUES (-5, 1, '', '2020-01-01')`, 'extra', [['-5']]],
  [
    'an extra row above the cursor',
    `INSERT INTO orders VALUES (999, 1, '', now() + interval '1 h')`,
    'extra',
    [['999']],
  ],
  [
    'NULL instead of an empty text',
    `UPDATE orders SET note = NULL WHERE note = '' AND id = 8`,
    'changed',
    [['8']],
  ],
  ['an empty text instead of NULL', `UPDATE orders SET note = '' WHERE id = 7`, 'changed', [['7']]],
  ['a trailing space', `UPDATE orders SET note = note || ' ' WHERE id = 5`, 'changed', [['5']]],
  [
    'another key time',
    `UPDATE orders SET updated_at = updated_at + interval '1 us' WHERE id = 5`,
    'changed',
    [['5']],
  ],
  ['another key', `UPDATE orders SET id = 1000 WHERE id = 5`, 'missing', [['5']]],
];

test('whatever is planted is found by key, and --repair mends it and touches nothing else', async () => {
  await using pair = await freshPair(oldOrders(30));
  await sync(pair);
  for (const [what, change, kind, keys] of PLANTED) {
    await pair.destination.query(change);
    const others = `id NOT IN (${keys.flat().join(', ')}, 1000)`;
    const untouched = await placesOf(pair, others);
    const isMoved = what === 'another key';
    expect(await verify(pair), what).toMatchObject({
      exitCode: 2,
      table: {
        status: 'different',
        ...NONE,
        [kind]: keys.length,
        first_keys: { [kind]: expect.arrayContaining(keys) },
        ...(isMoved ? { extra: 1 } : {}),
      },
    });
    expect(await verify(pair, '--repair'), what).toMatchObject({
      ...EQUAL,
      table: {
        repaired: {
          inserted: kind === 'missing' ? keys.length : 0,
          updated: kind === 'changed' ? keys.length : 0,
          removed: kind === 'extra' || isMoved ? 1 : 0,
        },
      },
    });
    await expectSameRows(pair, 'orders');
    expect(await placesOf(pair, others), what).toEqual(untouched);
  }
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 0 });
});

slowTest('a person reads the same: what differs, the first keys, and what was done', async () => {
  await using pair = await freshPair(oldOrders(30));
  await sync(pair);
  await pair.destination.query(`DELETE FROM orders WHERE id < 10; UPDATE orders SET note = 'x' WHERE id = 20;
    INSERT INTO orders VALUES (-5, 1, '', '2020-01-01')`);
  const found = await increp('verify', pair);
  expect(found.exitCode).toBe(2);
  expect(found.stdout).toMatch(/^! orders {2}DIFFERENT: 30 rows at the source, 22 at the destination/);
  expect(found.stdout).toMatch(/^ {4}9 missing at the destination: (\["\d"\], ){5}…$/m);
  expect(found.stdout).toMatch(/^ {4}1 only at the destination .*: \["-5"\]$/m);
  expect(found.stdout).toMatch(/^ {4}1 with different content: \["20"\]$/m);
  const repaired = await increp('verify --repair', pair);
  expect(repaired.exitCode, repaired.stdout).toBe(0);
  expect(repaired.stdout).toMatch(/^= orders {2}equal: 30 rows/);
  expect(repaired.stdout).toContain('repaired: 9 inserted, 1 updated, 1 removed');
});

test('rows that only the destination has twice are repaired by the command that verify prints', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(`ALTER TABLE orders DROP CONSTRAINT orders_pkey;
    INSERT INTO orders SELECT * FROM orders WHERE id IN (3, 4)`);
  const { stdout, exitCode } = await increp('verify', pair);
  expect(exitCode).toBe(2);
  expect(stdout).toMatch(
    /2 with a unique key that occurs more than once at the destination: \["\d"\], \["\d"\]\n/,
  );
  expect(stdout).not.toContain('correct them at the source');
  expect(stdout).toMatch(/DIFFERENT orders: increp (-C \S+ )?verify orders --repair$/m);
  expect(await verify(pair, '--repair')).toMatchObject(EQUAL);
  await expectSameRows(pair, 'orders');
});

slowTest('a duplicated row is found and mended, whether or not one of the two is right', async () => {
  await using pair = await freshPair(oldOrders(30));
  await sync(pair);
  await pair.destination.query(`ALTER TABLE orders DROP CONSTRAINT orders_pkey;
    INSERT INTO orders SELECT * FROM orders WHERE id IN (3, 4);
    INSERT INTO orders VALUES (5, 0, 'wrong', '2020-01-01'); UPDATE orders SET note = 'wrong, too' WHERE id = 5;
    INSERT INTO orders VALUES (-1, 0, 'extra', '2020-01-01'), (-1, 0, 'extra', '2020-01-01')`);
  const untouched = await placesOf(pair, 'id NOT IN (3, 4, 5, -1)');
  expect(await verify(pair)).toMatchObject({
    exitCode: 2,
    table: {
      missing: 0,
      extra: 1,
      changed: 1,
      duplicated: 4,
      first_keys: { changed: [['5']], extra: [['-1']] },
    },
  });
  expect(await verify(pair, '--repair')).toMatchObject(EQUAL);
  await expectSameRows(pair, 'orders');
  expect(await placesOf(pair, 'id NOT IN (3, 4, 5, -1)')).toEqual(untouched);
  // And the index is made again.
  await insertOrders(pair, 1);
  expect((await sync(pair)).table()).toMatchObject({
    action: 'incremental',
    rows_inserted: 1,
    rows_updated: 0,
  });
});

test('a repair that meets a full disk leaves no rows in the staging table', async () => {
  await using pair = await freshPair(oldOrders(500));
  await sync(pair);
  await insertOrders(pair, 1);
  await sync(pair);
  await pair.destination.query(`DELETE FROM orders WHERE id < 400; CREATE FUNCTION refuse() RETURNS trigger
    LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END$$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION refuse()`);
  const { table } = await verify(pair, '--repair');
  expect(table?.error).toMatchObject({
    code: 'DISK_FULL',
    hint: expect.stringMatching(
      / increp has emptied public\.orders_stg, so no rows take space there\.$/,
    ) as string,
  });
  const size = await pair.destination.query(`SELECT pg_relation_size('orders_stg')::int AS size`);
  expect(size.rows).toEqual([{ size: 0 }]);
});

slowTest('more differences than one batch of keys holds are mended', async () => {
  await using pair = await freshPair(oldOrders(5000));
  await sync(pair);
  await pair.destination
    .query(`DELETE FROM orders WHERE id % 4 = 0; UPDATE orders SET total = 7 WHERE id % 4 = 1;
    INSERT INTO orders SELECT -i, 0, '', '2020-01-01' FROM generate_series(1, 2500) i`);
  expect(await verify(pair)).toMatchObject({ table: { missing: 1250, extra: 2500, changed: 1250 } });
  const { table, exitCode } = await verify(pair, '--repair');
  expect({ table, exitCode }).toMatchObject({
    ...EQUAL,
    table: { repaired: { inserted: 1250, updated: 1250, removed: 2500 } },
  });
  await expectSameRows(pair, 'orders');
});

test('rows that a trigger of the destination discards are found, and a repair says why it has no effect', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination
    .query(`CREATE FUNCTION discard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER discard BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION discard()`);
  expect((await increp('check', pair)).stdout).toContain(
    'trigger "discard" of public.orders can change or discard',
  );
  await pair.source.query(`UPDATE orders SET note = 'changed', updated_at = now() WHERE id = 3`);
  expect((await sync(pair)).table().warnings).toEqual([
    expect.stringMatching(
      /^1 row is not in public\.orders as the source has it, because a trigger .*: SELECT tgname/,
    ),
  ]);
  const { exitCode, stdout } = await increp('verify --repair', pair);
  expect(exitCode, stdout).toBe(2);
  expect(stdout).toContain('public.orders did not take each row as it was written (VERIFY_FAILED)');
  expect(stdout).toContain('\n    NOT REPAIRED orders (VERIFY_FAILED)\n');
  expect(stdout).not.toContain('verify orders --repair');
  const [, list = ''] = /run at the destination: (.*)\n/.exec(stdout) ?? [];
  expect((await pair.destination.query(list)).rows).toEqual([{ tgname: 'discard', tgfoid: 'discard()' }]);
});

slowTest('with "soft", marked rows are no extra ones, and --repair marks and unmarks', async () => {
  await using pair = await freshPair(oldOrders(30, { deletes: 'soft', deletes_every: '0s' }));
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id = 3');
  await sync(pair);
  expect(await verify(pair)).toMatchObject({ ...EQUAL, table: { rows_source: 29, rows_destination: 29 } });
  await pair.source.query('DELETE FROM orders WHERE id = 4');
  await pair.destination.query('UPDATE orders SET _deleted_at = now() WHERE id = 5');
  expect((await verify(pair)).table).toMatchObject({ extra: 1, missing: 1 });
  expect(await verify(pair, '--repair')).toMatchObject({
    ...EQUAL,
    table: { repaired: { inserted: 0, updated: 1, removed: 1 } },
  });
  const { rows } = await pair.destination.query(
    'SELECT id FROM orders WHERE _deleted_at IS NOT NULL ORDER BY id',
  );
  expect(rows).toEqual([{ id: '3' }, { id: '4' }]);
});

test('--repair removes no more rows than delete_limit allows, unless it is forced', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id > 4');
  const refused = await verify(pair, '--repair');
  expect(refused).toMatchObject({
    exitCode: 2,
    table: {
      ...{ status: 'different', extra: 6, repaired: null },
      error: {
        code: 'DELETE_LIMIT_EXCEEDED',
        message: expect.stringContaining(
          'would remove 6 of 10 rows that the source no longer has',
        ) as unknown,
        hint: expect.stringContaining('increp verify orders --repair --force') as unknown,
      },
    },
  });
  expect((await pair.destination.query('SELECT FROM orders')).rowCount).toBe(10);
  expect(await verify(pair, '--repair --force')).toMatchObject({
    exitCode: 0,
    table: { repaired: { removed: 6 } },
  });
  await expectSameRows(pair, 'orders');
});
