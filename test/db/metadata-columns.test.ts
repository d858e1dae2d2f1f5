/** Columns of ours that are asked for once the table exists: readers of the destination wait for none of the work on it. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { waitUntil } from '../support/activity.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair, type TableConfig } from '../support/pair.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

/** The source stops at the row with this note, as long as the test wants it to. */
const HELD = `CREATE FUNCTION held(note text) RETURNS text LANGUAGE plpgsql AS $$
  BEGIN
    IF note = 'held' THEN PERFORM pg_advisory_xact_lock_shared(4711); END IF;
    RETURN note;
  END $$`;

const TABLE = { ...ORDERS_CONFIG, transform: { note: 'public.held(note)' } };

const openHeld = (more: object = {}): Promise<Pair> =>
  freshPair({
    tables: [{ ...TABLE, ...more }] as TableConfig[],
    sourceSql: `${ORDERS_SQL}; ${HELD}; INSERT INTO orders (id, total, note) SELECT i, i, 'order ' || i FROM generate_series(1, 10) i`,
  });

/** Runs the command, and reads the destination table while the source is being read. */
async function readMeanwhile(pair: Pair, command: string): Promise<void> {
  const holder = await pair.source.connect();
  const reader = await pair.destination.connect();
  try {
    await holder.query('SELECT pg_advisory_lock(4711)');
    const running = increp(command, pair);
    await waitUntil('the source is being read', async () => {
      const { rows } = await holder.query(
        "SELECT FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()",
      );
      return rows.length > 0;
    });
    const { rows } = await reader.query<{ orders: string }>('SELECT count(*) AS orders FROM orders');
    expect(rows).toEqual([{ orders: '10' }]);
    await holder.query('SELECT pg_advisory_unlock(4711)');
    expect(await running).toMatchObject({ exitCode: 0 });
  } finally {
    reader.release(true);
    holder.release(true);
  }
}

test.each(
  oneIn(3, [
    ['deletes: soft', 'sync', { deletes: 'soft', deletes_every: '0s' }],
    ['_synced_at', 'sync --verify', { metadata_columns: ['_synced_at'] }],
    ['_source', 'sync', { metadata_columns: ['_source', '_synced_at'] }],
    ['deletes: soft', 'sync --full-refresh orders', { deletes: 'soft' }],
    ['_synced_at', 'verify --repair', { metadata_columns: ['_synced_at'] }],
  ]),
)('a reader waits for no rows when %s is added by %s', async (_what, command, more) => {
  await using pair = await openHeld();
  await sync(pair);
  await pair.source.query(`UPDATE orders SET note = 'held', updated_at = now() WHERE id = 5`);
  await pair.writeTables([{ ...TABLE, ...more }] as TableConfig[]);
  await readMeanwhile(pair, command);
  await sync(pair);
  await expectSameRows(pair, 'orders');
});

test('a reader waits for no rows when a table is taken over', async () => {
  await using pair = await openHeld({ deletes: 'soft' });
  await sync(pair);
  await pair.destination.query('ALTER TABLE orders DROP COLUMN _deleted_at; DELETE FROM _increp_state');
  await rm(join(pair.directory, 'sync-state'), { recursive: true });
  await pair.source.query(`UPDATE orders SET note = 'held', updated_at = now() WHERE id = 5`);
  await readMeanwhile(pair, 'sync orders --adopt');
  await expectSameRows(pair, 'orders');
});
