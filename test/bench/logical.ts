/** Logical replication of the large table, as another reference. */
import type { Pool } from 'pg';
import { waitUntil } from '../support/activity.ts';
import type { Copy } from './copies.ts';
import { connectionTo } from './copies.ts';
import { addKey, createTable } from './data.ts';
import { LARGE, type Stage } from './stage.ts';

const NAME = 'bench';
const MINUTES = 600_000;

/** An empty table with its key, as the subscription needs it. */
export async function prepareSubscriber(stage: Stage, copy: Copy): Promise<void> {
  await dropSubscription(copy);
  await copy.pool.query(`DROP TABLE IF EXISTS ${LARGE}`);
  await copy.pool.query(createTable(LARGE));
  await copy.pool.query(addKey(LARGE));
  await stage.pair.source.query(`DROP PUBLICATION IF EXISTS ${NAME}`);
  await stage.pair.source.query(`CREATE PUBLICATION ${NAME} FOR TABLE ${LARGE}`);
}

/** Ends when the first copy is complete and the table follows the stream. */
export async function subscribe(stage: Stage, copy: Copy): Promise<void> {
  const { source, pair } = stage;
  const connection = `${connectionTo(source, pair.login('source').database)} password=${source.password}`;
  await copy.pool.query(`CREATE SUBSCRIPTION ${NAME} CONNECTION '${connection}' PUBLICATION ${NAME}`);
  await waitUntil('the first copy of logical replication', () => isTrue(copy.pool, IS_READY), MINUTES);
}

const IS_READY = `SELECT count(*) = 1 AND bool_and(srsubstate = 'r') AS yes FROM pg_subscription_rel`;

export async function dropSubscription(copy: Copy): Promise<void> {
  await copy.pool.query(`DROP SUBSCRIPTION IF EXISTS ${NAME}`);
}

/** Ends when the subscriber shows this row as the source has it: the transaction is applied as a whole. */
export async function waitForRow(stage: Stage, copy: Copy, id: number): Promise<void> {
  const image = `SELECT md5(t::text) AS image FROM ${LARGE} t WHERE id = ${id}`;
  const expected = (await stage.pair.source.query<{ image: string }>(image)).rows[0]?.image ?? '';
  await waitUntil(
    'the changes by logical replication',
    () => isTrue(copy.pool, `SELECT image = '${expected}' AS yes FROM (${image}) found`),
    MINUTES,
  );
}

const isTrue = async (pool: Pool, sql: string): Promise<boolean> =>
  (await pool.query<{ yes: boolean }>(sql)).rows[0]?.yes === true;
