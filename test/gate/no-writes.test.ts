/**
 * What is equal already is not written again: no row version, no row lock, and no WAL, however many rows are read. On a
 * destination of its own, so that its WAL holds nothing of other tests, and each record of it can be named.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer, type EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { waitUntil } from '../support/activity.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

const FEW = 1000;
const MANY = 6000;
/**
 * Bytes. Measured: 4,500 for the state, the history and a staging table that is emptied, 23,000 with a staging table that
 * is made anew and analyzed. Six thousand updated rows would be 900,000, and as many row locks 300,000.
 */
const WAL_LIMIT = 40_000;
/** A page of a catalog that is pruned on the way, or a note of the background writer. */
const WAL_NOISE = 4000;

interface Reread {
  readonly what: string;
  /** At the source, before the sync that is looked at. */
  readonly beforehand?: string;
  readonly args?: string;
  readonly action?: string;
  /** New rows of the source. */
  readonly inserted?: number;
}

const TOUCH = 'UPDATE orders SET note = note';

/** One after the other, on one pair. */
const REREADS: readonly Reread[] = [
  { what: 'rows of the lookback window' },
  {
    what: 'rows of the lookback window beside a new one',
    beforehand: 'INSERT INTO orders (id, total) VALUES (0, 1)',
    inserted: 1,
  },
  { what: 'rows that were written at the source, with what they held before', beforehand: TOUCH },
  { what: 'rows that were written and are compared for deletes', beforehand: TOUCH, args: '--deletes' },
  { what: 'a full refresh', args: '--full-refresh', action: 'full-refresh' },
];

let server: EmbeddedServer;
beforeAll(async () => {
  server = await startServer({ name: 'no-writes', settings: { autovacuum: false } });
});
afterAll(() => server.stop());

test.each(oneIn(2, ['hard', 'soft']))(
  'unchanged rows are not written again, deletes: %s',
  async (deletes) => {
    const few = await walOfRereads(deletes, FEW);
    const many = await walOfRereads(deletes, MANY);
    for (const [what, bytes] of many) {
      expect(bytes, what).toBeLessThan(WAL_LIMIT);
      expect(Math.abs(bytes - (few.get(what) ?? 0)), what).toBeLessThan(WAL_NOISE);
    }
  },
);

async function walOfRereads(deletes: string, rows: number): Promise<Map<string, number>> {
  await using pair = await freshPair(
    {
      tables: [{ ...ORDERS_CONFIG, lookback: '1h', deletes, deletes_every: '1h' }],
      sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, total, note)
        SELECT i, i, 'order ' || i FROM generate_series(1, ${rows}) i`,
    },
    { destinationServerUrl: server.url('postgres') },
  );
  await pair.destination.query('CREATE EXTENSION pg_walinspect');
  await sync(pair);
  // From here on there is a staging table.
  await pair.source.query(TOUCH);
  await sync(pair);
  const sizes = new Map<string, number>();
  for (const reread of REREADS) sizes.set(reread.what, await walOf(pair, reread));
  return sizes;
}

/** Bytes that one sync writes to the WAL of the destination, nothing of it for the table. */
async function walOf(pair: Pair, { what, beforehand, args, action, inserted = 0 }: Reread): Promise<number> {
  if (beforehand !== undefined) await pair.source.query(beforehand);
  const before = await lookAt(pair);
  const start = await walPosition(pair);
  const table = (await sync(pair, args)).table();
  const after = await lookAt(pair);
  const end = await walPosition(pair);
  expect(table, what).toMatchObject({
    action: action ?? 'incremental',
    rows_inserted: inserted,
    rows_updated: 0,
    rows_deleted: 0,
  });
  expect(after, what).toEqual({ ...before, inserted: before.inserted + inserted });
  const { records, bytes } = await walBetween(pair, start, end);
  // A row, and its entry in the one index.
  expect(records, what).toHaveLength(2 * inserted);
  return bytes;
}

/** What has ever been written to the table, as the server counts it, and how the rows from the start lie there. */
async function lookAt({ destination }: Pair) {
  // What a session has counted is known when it has ended.
  await waitUntil('the sessions of increp end', async () => {
    const sessions = await destination.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'increp %'`,
    );
    return sessions.rowCount === 0;
  });
  // A row that is only locked shows that in xmax.
  const { rows } = await destination.query<{ readonly inserted: number }>(`
    SELECT n_tup_ins::int AS inserted, n_tup_upd::int AS updated, n_tup_hot_upd::int AS "hotUpdated",
           n_tup_del::int AS deleted, n_dead_tup::int AS dead, pg_relation_filenode(relid) AS file, image.*
    FROM pg_stat_user_tables,
         (SELECT count(*)::int AS rows, md5(string_agg(concat_ws(' ', id, ctid, xmin, xmax), ',' ORDER BY ctid)) AS places
          FROM orders WHERE id > 0) image
    WHERE relname = 'orders'`);
  const [found] = rows;
  if (!found) throw new Error('there is no table "orders" at the destination');
  return found;
}

async function walPosition({ destination }: Pair): Promise<string> {
  const { rows } = await destination.query<{ lsn: string }>(
    'SELECT pg_current_wal_insert_lsn()::text AS lsn',
  );
  return rows[0]?.lsn ?? '';
}

/** All bytes, and the records that are about the table, its indexes or its TOAST table. */
async function walBetween({ destination }: Pair, start: string, end: string) {
  // Only what has been flushed can be read.
  await destination.query('CHECKPOINT');
  const { rows: sizes } = await destination.query<{ bytes: number }>(
    `SELECT ($2::pg_lsn - $1::pg_lsn)::int AS bytes`,
    [start, end],
  );
  const { rows: records } = await destination.query<{ record: string }>(
    `WITH own AS (
       SELECT c.oid FROM pg_class c WHERE c.oid = 'orders'::regclass
       UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = 'orders'::regclass
       UNION ALL SELECT reltoastrelid FROM pg_class WHERE oid = 'orders'::regclass AND reltoastrelid <> 0)
     SELECT concat_ws(' ', resource_manager, record_type, block_ref) AS record
     FROM pg_get_wal_records_info($1, $2)
     WHERE substring(block_ref FROM 'rel \\d+/\\d+/(\\d+)')::oid IN (SELECT pg_relation_filenode(oid) FROM own)`,
    [start, end],
  );
  return { records: records.map(({ record }) => record), bytes: sizes[0]?.bytes ?? 0 };
}
