/** The chapters of the demo, up to the comparison. */
import type pg from 'pg';
import { formatCount, formatSeconds, formatCounted } from '../format.ts';
import { lastRun, sumOf } from './last-run.ts';
import { runIncrep } from './program.ts';
import {
  LATE_TRANSACTION,
  NEW_ORDERS,
  SCHEMA_CHANGE,
  SHOP_ROWS,
  SHOP_SQL,
  shopReaderSql,
  UPDATES,
} from './shop.ts';
import { READER, type Scene } from './stage.ts';

const rowsText = (count: number) => formatCounted(count, 'row');

export async function fillShop({ story, sourceClient }: Scene): Promise<void> {
  story.heading('The source gets the data of a shop');
  const startedAt = performance.now();
  await sourceClient.query(SHOP_SQL);
  await sourceClient.query(shopReaderSql(READER));
  const seconds = formatSeconds((performance.now() - startedAt) / 1000);
  const counts = Object.entries(SHOP_ROWS);
  const width = Math.max(...counts.map(([, count]) => formatCount(count).length));
  story.table(counts.map(([name, count]) => [name, `${formatCount(count).padStart(width)} rows`]));
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  story.print(
    `${rowsText(total)} in ${seconds}: enums, arrays, jsonb, ranges, numeric, bytea, microseconds, a mixed-case name. The role "${READER}" of increp may only SELECT.`,
  );
}

export async function syncFirst(scene: Scene): Promise<void> {
  const { story, destinationClient } = scene;
  story.heading('The first sync: no destination table exists yet, so every table is loaded');
  story.print(
    'A pipeline is a directory with .env (the two databases) and tables-config.json (the tables and their keys).',
  );
  const { seconds } = await runIncrep(scene, story, ['sync']);
  const { loaded } = await lastRun(destinationClient);
  story.print(`${rowsText(sumOf(loaded, 'rowsInserted'))} were copied in ${formatSeconds(seconds)}.`);
}

export async function changeShop({ story, sourceClient }: Scene, lateClient: pg.Client): Promise<void> {
  story.heading('Meanwhile, the shop changes');
  // The schema change comes first, because the order of the open transaction locks the table of its customer.
  await sourceClient.query(SCHEMA_CHANGE.sql);
  story.print(`- ${SCHEMA_CHANGE.title}`);
  await lateClient.query(LATE_TRANSACTION.open);
  story.print('- a transaction inserts an order and does not commit yet');
  for (const { title, sql } of [NEW_ORDERS, UPDATES]) {
    await sourceClient.query(sql);
    story.print(`- ${title}`);
  }
}

export async function syncAgain(scene: Scene): Promise<void> {
  const { story, destinationClient } = scene;
  story.heading('The second sync: changes, and one table with a new column');
  story.print('`--wait-transactions 1s`: increp waits one second for the open transaction (default 5 s).');
  const { seconds } = await runIncrep(scene, story, ['sync', '--wait-transactions', '1s']);
  const { incremental, loaded } = await lastRun(destinationClient);
  const [inserted, updated] = [sumOf(incremental, 'rowsInserted'), sumOf(incremental, 'rowsUpdated')];
  story.print(
    `${formatCount(inserted)} new and ${formatCount(updated)} changed rows in ${formatSeconds(seconds)}.`,
  );
  for (const { name, rowsRead } of loaded) {
    story.print(
      `${name} was loaded again (${rowsText(rowsRead)}), because the new column changed every row, but updated_at stayed the same. Readers saw the old table until the new one was complete.`,
    );
  }
}

export async function commitLate(scene: Scene, lateClient: pg.Client): Promise<void> {
  const { story, sourceClient, destinationClient } = scene;
  story.heading('The open transaction commits, then the third sync');
  const cursor = (await lastRun(destinationClient)).of('orders')?.cursor;
  await lateClient.query(LATE_TRANSACTION.commit);
  story.table([
    ['the order has', (await lateOrders(sourceClient))[0] ?? 'nothing', '(when the transaction began)'],
    ['the cursor is', cursor ?? 'nothing', '(of the table orders)'],
  ]);
  story.print(
    'The order is below the cursor, so a query for newer rows would never find it. The second sync recorded that a transaction was open, so the next sync reads that range again. lookback is 0s here, so it does not help.',
  );
  const { seconds } = await runIncrep(scene, story, ['sync']);
  const run = await lastRun(destinationClient);
  const isThere = (await lateOrders(destinationClient)).length === 1;
  story.print(
    `${rowsText(sumOf(run.incremental, 'rowsInserted'))} inserted in ${formatSeconds(seconds)}: the late order is ${isThere ? 'there' : 'MISSING'}. ${rowsText(sumOf(run.incremental, 'rowsUnchanged'))} that the transaction could have changed were read again and are unchanged.`,
  );
}

async function lateOrders(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ moment: string }>(
    'SELECT updated_at::text AS moment FROM shop.orders WHERE note = $1',
    [LATE_TRANSACTION.note],
  );
  return rows.map(({ moment }) => moment);
}
