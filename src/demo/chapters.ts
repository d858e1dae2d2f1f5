/** What happens in the demo, and why, up to the comparison. */
import type pg from 'pg';
import { formatCount, formatSeconds } from '../format.ts';
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

const rowsText = (count: number) => `${formatCount(count)} ${count === 1 ? 'row' : 'rows'}`;

export async function fillShop({ story, sourceClient }: Scene): Promise<void> {
  story.heading('The source gets a shop');
  const startedAt = performance.now();
  await sourceClient.query(SHOP_SQL);
  await sourceClient.query(shopReaderSql(READER));
  const seconds = formatSeconds((performance.now() - startedAt) / 1000);
  const counts = Object.entries(SHOP_ROWS);
  const width = Math.max(...counts.map(([, count]) => formatCount(count).length));
  story.table(counts.map(([name, count]) => [name, `${formatCount(count).padStart(width)} rows`]));
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  story.tell(
    `${rowsText(total)} in ${seconds}: enums, arrays, jsonb, ranges, numeric, bytea, microseconds, a mixed-case name. increp's role "${READER}" may only SELECT.`,
  );
}

export async function syncFirst(scene: Scene): Promise<void> {
  const { story, destinationClient } = scene;
  story.heading('The first sync: there is no destination table yet, so every table is loaded');
  story.tell(
    'A pipeline is a directory with .env (the two databases) and tables-config.json (the tables, and the column that orders their changes).',
  );
  const { seconds } = await runIncrep(scene, story, ['sync']);
  const { loaded } = await lastRun(destinationClient);
  story.tell(`${rowsText(sumOf(loaded, 'rowsInserted'))} were copied in ${formatSeconds(seconds)}.`);
}

export async function changeShop({ story, sourceClient }: Scene, lateClient: pg.Client): Promise<void> {
  story.heading('Meanwhile, in the shop');
  // First, because the order of the open transaction holds a lock on its customer's table.
  await sourceClient.query(SCHEMA_CHANGE.sql);
  story.tell(`- ${SCHEMA_CHANGE.title}`);
  await lateClient.query(LATE_TRANSACTION.open);
  story.tell('- a transaction writes an order, and does not commit it yet');
  for (const { title, sql } of [NEW_ORDERS, UPDATES]) {
    await sourceClient.query(sql);
    story.tell(`- ${title}`);
  }
}

export async function syncAgain(scene: Scene): Promise<void> {
  const { story, destinationClient } = scene;
  story.heading('The second sync: only what changed');
  story.tell('It waits for the open transaction for a second here (5 s by default).');
  const { seconds } = await runIncrep(scene, story, ['sync', '--wait-transactions', '1s']);
  const { incremental, loaded } = await lastRun(destinationClient);
  const [inserted, updated] = [sumOf(incremental, 'rowsInserted'), sumOf(incremental, 'rowsUpdated')];
  story.tell(
    `${formatCount(inserted)} new and ${formatCount(updated)} changed rows in ${formatSeconds(seconds)}.`,
  );
  for (const { name, rowsRead } of loaded) {
    story.tell(
      `${name} was loaded again, ${rowsText(rowsRead)}: its new column changed every row, but no row's updated_at. Readers saw the old table until the new one was whole.`,
    );
  }
}

export async function commitLate(scene: Scene, lateClient: pg.Client): Promise<void> {
  const { story, sourceClient, destinationClient } = scene;
  story.heading('The open transaction commits, then the third sync');
  const cursor = (await lastRun(destinationClient)).of('orders')?.cursor;
  await lateClient.query(LATE_TRANSACTION.commit);
  story.table([
    ['its order says', (await lateOrders(sourceClient))[0] ?? 'nothing', '(when the transaction began)'],
    ['the copy is at', cursor ?? 'nothing', '(the cursor of orders)'],
  ]);
  story.tell(
    'The order lies below the cursor: asking for what is newer would miss it for ever. increp has noted that a transaction was open, and looks again from there. Nothing else helps it: tables-config.json sets "lookback" to "0s".',
  );
  const { seconds } = await runIncrep(scene, story, ['sync']);
  const run = await lastRun(destinationClient);
  const isThere = (await lateOrders(destinationClient)).length === 1;
  story.tell(
    `${rowsText(sumOf(run.incremental, 'rowsInserted'))} inserted in ${formatSeconds(seconds)}: the late order is ${isThere ? 'there' : 'MISSING'}. ${rowsText(sumOf(run.incremental, 'rowsUnchanged'))} that the transaction could have touched were read again, found equal and left alone.`,
  );
}

async function lateOrders(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ moment: string }>(
    'SELECT updated_at::text AS moment FROM shop.orders WHERE note = $1',
    [LATE_TRANSACTION.note],
  );
  return rows.map(({ moment }) => moment);
}
