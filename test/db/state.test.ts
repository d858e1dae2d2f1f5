/** The state file and the state row, in every way in which one of them can be wrong. */
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { insertOrders } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const fileOf = (pair: Pair) => join(pair.directory, 'sync-state', 'orders.json');
const readState = async (pair: Pair) =>
  JSON.parse(await readFile(fileOf(pair), 'utf8')) as Record<string, unknown>;
const writeState = (pair: Pair, state: object) => writeFile(fileOf(pair), JSON.stringify(state));
const dropRow = (pair: Pair) => pair.destination.query('DELETE FROM _increp_state');

async function synced(): Promise<Pair> {
  const pair = await freshPair('orders');
  await sync(pair);
  return pair;
}

/** A further change is found, and by which action. */
async function expectContinues(pair: Pair, ...warnings: readonly RegExp[]): Promise<void> {
  await insertOrders(pair, 3);
  const table = (await sync(pair)).table();
  expect(table).toMatchObject({ action: 'incremental', rows_inserted: 3, rows_updated: 0 });
  expect(table.warnings).toEqual(warnings.map((text): unknown => expect.stringMatching(text)));
  await expectSameRows(pair, 'orders');
  expect((await sync(pair)).table().warnings).toEqual([]);
}

test('file and row say the same, and only their owner reads the file', async () => {
  await using pair = await synced();
  const { rows } = await pair.destination.query<{ record: object }>('SELECT record FROM _increp_state');
  // Only the row has the OIDs, because the server adds them at the commit.
  const oid = expect.stringMatching(/^\d+$/) as string;
  expect(rows[0]?.record).toEqual({
    ...(await readState(pair)),
    writtenTo: { table: oid, stateTable: oid },
  });
  expect((await stat(fileOf(pair))).mode & 0o777).toBe(0o600);
  expect((await stat(join(pair.directory, 'sync-state'))).mode & 0o777).toBe(0o700);
  expect((await readdir(join(pair.directory, 'sync-state'))).toSorted()).toEqual([
    'history.jsonl',
    'orders.json',
  ]);
});

for (const [what, text] of oneIn(3, [
  ['torn', '{"format": 1, "pipeline": "pi'],
  ['empty', ''],
  ['garbage', '\0\u0001 not json'],
  ['of a newer version', '{"format": 99, "cursor": "x"}'],
  ['of another kind', '[]'],
  ['null', 'null'],
] as const)) {
  test(`a state file that is ${what} is set aside and the row serves`, async () => {
    await using pair = await synced();
    await writeFile(fileOf(pair), text);
    await expectContinues(
      pair,
      /^increp ignores the state file in .*; increp uses the state at the destination$/,
      /^the state file was renamed to orders\.json\.unreadable-\S+, and this sync has written a new one\./,
    );
    const all = await readdir(join(pair.directory, 'sync-state'));
    const names = all.filter((name) => name !== 'history.jsonl').toSorted();
    expect(names).toEqual(['orders.json', expect.stringMatching(/^orders\.json\.unreadable-/)]);
    expect(await readFile(join(pair.directory, 'sync-state', names[1] ?? ''), 'utf8')).toBe(text);
  });
}

slowTest('a torn file without a row means loading again, and the old table serves meanwhile', async () => {
  await using pair = await synced();
  await dropRow(pair);
  await writeFile(fileOf(pair), '{"form');
  const table = (await sync(pair)).table();
  expect(table).toMatchObject({ action: 'initial', rows_unchanged: 10, rows_inserted: 0 });
  expect(table.reason).toMatch(/its state file cannot be used \(it is not JSON\)/);
  await expectContinues(pair);
});

slowTest('a deleted file is written again from the row', async () => {
  await using pair = await synced();
  await rm(fileOf(pair));
  await expectContinues(pair);
  expect(await readState(pair)).toMatchObject({ generation: 2 });
});

slowTest('an older file, as a crash after the commit leaves it, is brought up to date', async () => {
  await using pair = await synced();
  const old = await readState(pair);
  await insertOrders(pair, 1);
  await sync(pair);
  await writeState(pair, old);
  await expectContinues(pair, /is older than the state at the destination/);
});

slowTest('an edited file changes nothing', async () => {
  await using pair = await synced();
  await writeState(pair, { ...(await readState(pair)), cursor: '2099-01-01 00:00:00+00' });
  await expectContinues(pair, /was edited/);
});

slowTest('a file that was copied from another pipeline is replaced, and the row serves', async () => {
  await using pair = await synced();
  await writeState(pair, { ...(await readState(pair)), pipeline: 'p6' });
  await expectContinues(pair, /ignores the state file in .*, which belongs to pipeline "p6"/);
  await writeState(pair, { ...(await readState(pair)), pipeline: 'p6' });
  await dropRow(pair);
  expect((await trySync(pair)).table().error?.message).toMatch(
    /^the state files in .* belong to pipeline "p6"/,
  );
});

slowTest('without its row, the file serves', async () => {
  await using pair = await synced();
  await dropRow(pair);
  await expectContinues(pair, /the destination has no state row/);
  await pair.destination.query('DROP TABLE _increp_state');
  await expectContinues(pair, /the destination has no state row/);
});

slowTest('status and verify take the file as well where the table of states is gone', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const before = (await increp('status --json', pair)).json<{ tables: object[] }>().tables;
  await pair.destination.query('DROP TABLE _increp_state');
  const { cursor, complete_up_to } = before[0] as Record<string, unknown>;
  expect((await increp('status --json', pair)).json()).toMatchObject({
    destination_error: null,
    tables: [{ state: 'ok', cursor, complete_up_to }],
  });
  const verified = await increp('verify', pair);
  expect(verified.exitCode, verified.stderr + verified.stdout).toBe(0);
});

slowTest(
  'without either, an adopted table is compared and completed, and never starts from the epoch',
  async () => {
    await using pair = await synced();
    await dropRow(pair);
    await rm(join(pair.directory, 'sync-state'), { recursive: true });
    await insertOrders(pair, 1);
    expect((await trySync(pair)).table().error?.code).toBe('DESTINATION_NOT_OURS');
    expect((await sync(pair, 'orders --adopt')).table()).toMatchObject({
      action: 'initial',
      rows_inserted: 1,
      rows_unchanged: 10,
    });
    await expectContinues(pair);
  },
);

test('a destination that was restored from a backup is caught up from where it was', async () => {
  await using pair = await synced();
  await pair.destination.query(
    'CREATE TABLE backup AS TABLE orders; CREATE TABLE state AS TABLE _increp_state',
  );
  await insertOrders(pair, 4);
  await sync(pair);
  await pair.destination.query(`TRUNCATE orders, _increp_state; INSERT INTO orders TABLE backup;
    INSERT INTO _increp_state TABLE state; DROP TABLE backup, state`);
  await insertOrders(pair, 1);
  const table = (await sync(pair)).table();
  expect(table).toMatchObject({ action: 'incremental', rows_inserted: 5 });
  expect(table.warnings).toEqual([
    expect.stringMatching(/newer than the state at the destination, which was probably restored/),
  ]);
  await expectSameRows(pair, 'orders');
});

test('a file of another source is refused and nothing is changed', async () => {
  await using pair = await synced();
  await writeState(pair, {
    ...(await readState(pair)),
    source: { database: 'other', schema: 'public', table: 'orders' },
  });
  await insertOrders(pair, 1);
  const result = await trySync(pair);
  expect(result.exitCode).toBe(1);
  expect(result.table().error).toMatchObject({ code: 'STATE_MISMATCH' });
  await expectSameRows(pair, 'orders', { sourceWhere: 'id <= 10' });
  // Another database lacks the table, too. That is not the cause.
  await pair.source.query('ALTER TABLE orders RENAME TO elsewhere');
  expect((await trySync(pair)).table().error).toMatchObject({ code: 'STATE_MISMATCH' });
  await pair.source.query('ALTER TABLE elsewhere RENAME TO orders');
  await rm(fileOf(pair));
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
  await expectSameRows(pair, 'orders');
});

slowTest('a pipeline directory that is copied elsewhere goes on incrementally', async () => {
  await using pair = await synced();
  const moved = { ...pair, directory: join(pair.directory, 'moved') };
  await mkdir(moved.directory);
  for (const name of ['.env', 'tables-config.json', 'sync-state']) {
    await cp(join(pair.directory, name), join(moved.directory, name), { recursive: true });
  }
  await expectContinues(moved);
  await expectContinues(pair, /is older .* The last sync ran elsewhere: .*moved\/sync-state\. If/);
});

test('a state directory that cannot be written is told of before any work', async () => {
  await using pair = await freshPair('orders');
  await writeFile(join(pair.directory, 'sync-state'), 'a file');
  const result = await trySync(pair);
  expect(result.exitCode).toBe(1);
  expect(result.summary.error).toMatchObject({ code: 'STATE_NOT_WRITABLE' });
});
