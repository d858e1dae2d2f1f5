/** Tables that are loaded in chunks, and what the destination tells of such loads. */
import { waitUntil } from './activity.ts';
import { startIncrep } from './increp.ts';
import type { IncrepResult } from './increp.ts';
import type { Pair, TableConfig } from './open-pair.ts';
import { faultProxy } from './proxy.ts';
import type { Target } from './proxy.ts';

export const STAMP = 'updated_at timestamptz NOT NULL DEFAULT now()';

/**
 * A configuration; about a dozen chunks for `big`. The usual lookback is longer than such a load takes, and would make up
 * for what the load itself has missed.
 */
export const chunked = (name: string, more: object = {}): TableConfig => ({
  name,
  replication_key: 'updated_at',
  unique_cols: ['id'],
  initial_load: 'copy',
  chunk: '256kB',
  lookback: '50ms',
  ...more,
});

/** Rows of about 150 bytes, the last of them an hour old. */
export const fill = (table: string, rows = 20_000, firstId = 1): string => `
  INSERT INTO ${table} (id, note, updated_at)
    SELECT i, repeat('note ', 20) || i, now() - interval '1 hour' - (${firstId + rows} - i) * interval '1 s'
    FROM generate_series(${firstId}, ${firstId + rows - 1}) i`;

export const BIG = `CREATE TABLE big (id bigint PRIMARY KEY, note text, ${STAMP}); ${fill('big')}`;

export const big = (more: object = {}) => ({ tables: [chunked('big', more)], sourceSql: BIG });

/** Chunks that are committed; 0 where nothing is known of a load. */
export async function chunksDone({ destination }: Pair): Promise<number> {
  const { rows } = await destination.query<{ there: boolean }>(
    `SELECT to_regclass('public._increp_chunks') IS NOT NULL AS there`,
  );
  if (rows[0]?.there !== true) return 0;
  return (await destination.query('SELECT FROM _increp_chunks')).rowCount ?? 0;
}

export const waitForChunks = (pair: Pair, count: number): Promise<void> =>
  waitUntil(`${count} chunks at the destination`, async () => (await chunksDone(pair)) >= count);

/** The pipeline goes to that side through something else. */
export const goThrough = (pair: Pair, side: 'source' | 'destination', { host, port }: Target) => {
  const prefix = side === 'source' ? 'SOURCE' : 'DEST';
  return pair.setEnv({ [`${prefix}_HOST`]: host, [`${prefix}_PORT`]: String(port) });
};

async function backendsOf(pair: Pair, side: 'source' | 'destination'): Promise<number> {
  const { rowCount } = await pair[side].query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'increp %'`,
  );
  return rowCount ?? 0;
}

/** Bytes per second at which a dozen chunks take seconds. */
export const SLOWLY = 1_000_000;

/** A run that is ended as soon as so many chunks are done. */
export async function killAfter(
  pair: Pair,
  chunks: number,
  args = 'sync',
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<IncrepResult> {
  await using proxy = await faultProxy(pair.login('source'));
  await goThrough(pair, 'source', proxy);
  proxy.throttle(SLOWLY);
  await using running = startIncrep(args, pair);
  await waitForChunks(pair, chunks);
  running.kill(signal);
  const result = await running.wait();
  await goThrough(pair, 'source', pair.login('source'));
  await waitUntil('the end of its backends', async () => {
    const left = await Promise.all([backendsOf(pair, 'source'), backendsOf(pair, 'destination')]);
    return left.every((count) => count === 0);
  });
  return result;
}

export const RESUMED = /continues an interrupted load: (\d+) of 13 chunks are done/;
