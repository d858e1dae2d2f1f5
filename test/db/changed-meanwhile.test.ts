/** A destination table that somebody empties, drops or alters while its sync is under way. */
import { describe, expect, test } from 'vitest';
import { stagingMark } from '../../src/sql/destination.ts';
import { heldRun } from '../support/held-run.ts';
import { startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

/** Ten orders, of which a window holds one. */
const withOptions = (options: Readonly<Record<string, unknown>> = {}) =>
  freshPair({
    ...ordersPreset,
    tables: [{ ...ORDERS_CONFIG, initial_load: 'copy', ...options }],
  });

const touch = (pair: Pair, id: number) =>
  pair.source.query(`UPDATE orders SET note = 'touched', updated_at = now() WHERE id = $1`, [id]);

/** The statement runs once the run has planned the table and holds its lock. */
async function meanwhile(pair: Pair, statement: string): Promise<void> {
  const { running, letGo } = await heldRun(pair);
  await using run = running;
  await pair.destination.query(statement);
  await letGo();
  const { exitCode, stderr } = await run.wait();
  expect(exitCode, stderr).toBe(0);
}

const STATEMENTS = [
  ['TRUNCATE', 'TRUNCATE orders'],
  ['DELETE of all rows', 'DELETE FROM orders'],
  ['DROP', 'DROP TABLE orders'],
  [
    'an empty table in its place',
    `CREATE TABLE other (LIKE orders INCLUDING ALL);
    DO $$ BEGIN EXECUTE format('ALTER TABLE other OWNER TO %I', (SELECT tableowner FROM pg_tables WHERE tablename = 'orders')); END $$;
    DROP TABLE orders; ALTER TABLE other RENAME TO orders`,
  ],
  ['a column dropped', 'ALTER TABLE orders DROP COLUMN note'],
  ['a column retyped', 'ALTER TABLE orders ALTER COLUMN total TYPE text'],
  ['a column added', 'ALTER TABLE orders ADD COLUMN theirs int'],
  ['the key dropped', 'ALTER TABLE orders DROP CONSTRAINT orders_pkey'],
] as const;

test.each(oneIn(8, STATEMENTS))('%s during a window leaves nothing out', async (_, statement) => {
  await using pair = await withOptions();
  await sync(pair);
  await pair.source.query(`UPDATE orders SET updated_at = now() - interval '1 day' WHERE id < 10`);
  await sync(pair, '--full-refresh');
  await touch(pair, 5);
  await meanwhile(pair, statement);
  await expectSameRows(pair, 'orders');
  await touch(pair, 6);
  await sync(pair);
  await expectSameRows(pair, 'orders');
});

test.each(
  oneIn(6, [
    ['deletes', { deletes: 'hard', deletes_every: '0s' }],
    ['deletes that are marked', { deletes: 'soft', deletes_every: '0s' }],
    ['evolve', { on_schema_change: 'evolve' }],
    ['append', { mode: 'incremental-append' }],
    ['_source', { metadata_columns: ['_source', '_synced_at'] }],
  ] as const),
)('a table that is emptied during its window is loaded again: %s', async (what, options) => {
  await using pair = await withOptions(options);
  await sync(pair);
  await touch(pair, 5);
  if (what === 'evolve') await pair.source.query('ALTER TABLE orders ADD COLUMN more int DEFAULT 7');
  await meanwhile(pair, 'TRUNCATE orders');
  await expectSameRows(pair, 'orders', { columns: ['id', 'total', 'note', 'updated_at'] });
});

slowTest.each(oneIn(3, ['ALTER TABLE orders DROP COLUMN note', 'TRUNCATE orders', 'DROP TABLE orders']))(
  'loads take what happens to the table meanwhile: %s',
  async (statement) => {
    await using chunked = await withOptions({ chunk: '4 rows' });
    await sync(chunked);
    await chunked.source.query('ALTER TABLE orders ALTER COLUMN total TYPE numeric(20,2)');
    await meanwhile(chunked, statement);
    await expectSameRows(chunked, 'orders');
    await using refreshed = await freshPair({
      ...ordersPreset,
      tables: [{ name: 'orders', mode: 'full-refresh', unique_cols: ['id'], initial_load: 'copy' }],
    });
    await sync(refreshed);
    await touch(refreshed, 5);
    const open = await refreshed.source.connect();
    await open.query('BEGIN; LOCK TABLE orders');
    await using run = startIncrep('sync -v', refreshed);
    await run.waitForPhase('copy');
    await refreshed.destination.query(statement);
    await open.query('COMMIT');
    open.release();
    expect((await run.wait()).exitCode).toBe(0);
    await expectSameRows(refreshed, 'orders');
  },
);

slowTest(
  'what people add to the table meanwhile, and does not concern its rows, costs no second load',
  async () => {
    await using pair = await withOptions();
    await sync(pair);
    await touch(pair, 5);
    await meanwhile(pair, 'CREATE INDEX ON orders (note); GRANT SELECT ON orders TO PUBLIC');
    await expectSameRows(pair, 'orders');
  },
);

describe('a staging table that another session creates after the plan', () => {
  const firstLoad = async (pair: Pair, comment: string) => {
    const { running, letGo } = await heldRun(pair);
    await using run = running;
    const { user } = pair.login('destination', 'increp');
    await pair.destination
      .query(`CREATE TABLE orders_stg (rest int); ALTER TABLE orders_stg OWNER TO "${user}";
      COMMENT ON TABLE orders_stg IS '${comment}'`);
    await letGo();
    const result = await run.wait();
    expect(result.stderr).toContain(
      'public.orders_stg was created by another session after this run had planned the table; trying again',
    );
    return result;
  };

  test('is emptied by the next attempt if it is one of increp', async () => {
    await using pair = await withOptions();
    const { exitCode, stderr } = await firstLoad(pair, stagingMark('orders'));
    expect(exitCode, stderr).toBe(0);
    await expectSameRows(pair, 'orders');
  });

  test('is refused by the next attempt if it belongs to somebody else', async () => {
    await using pair = await withOptions();
    const { exitCode, stdout } = await firstLoad(pair, 'mine');
    expect(exitCode).not.toBe(0);
    expect(stdout).toContain('(STAGING_NAME_CONFLICT)');
    expect((await pair.destination.query('SELECT rest FROM orders_stg')).rowCount).toBe(0);
  });
});
