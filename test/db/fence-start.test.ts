/** The start that is believed of a transaction in flight is never later than its real one. */
import pg from 'pg';
import { expect, test } from 'vitest';
import { freshPair } from '../support/pair.ts';
import { IN_FLIGHT, KEEP_ACTIVITY } from '../../src/sql/fence.ts';

test('a session that prepares its transaction and begins another one between the two looks', async () => {
  await using pair = await freshPair('orders');
  const name = `between ${pair.login('source').database}`;
  const looking = await pair.source.connect();
  const session = new pg.Client(pair.login('source'));
  await session.connect();
  await session.query('BEGIN; UPDATE orders SET note = note');
  const { rows: starts } = await session.query<{ pid: number; at: string }>(
    'SELECT pg_backend_pid() AS pid, now()::text AS at',
  );
  await looking.query('BEGIN');
  await looking.query(KEEP_ACTIVITY);
  await session.query(`PREPARE TRANSACTION '${name}'`);
  await session.query('BEGIN; SELECT FROM orders');
  const { rows } = await looking.query<{ pid: number | null; startedAt: string | null }>(IN_FLIGHT);
  // Of the prepared one nobody knows the start; that of the session's next one is believed to be earlier than it is.
  expect(rows.filter(({ pid }) => pid === null)).toMatchObject([{ startedAt: null }]);
  expect(rows.find(({ pid }) => pid === starts[0]?.pid)?.startedAt).toBe(starts[0]?.at);
  await looking.query('COMMIT');
  looking.release();
  await session.end();
  await pair.source.query(`ROLLBACK PREPARED '${name}'`);
});
