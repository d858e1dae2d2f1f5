/** The state of the older script: `sync-state/<table>.txt`, one ISO timestamp in UTC with milliseconds. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const NEW_YORK = { env: { TZ: 'America/New_York' } };

/** A copy as the older script has left it: the table without an index, two rows behind, and its file. */
async function leftBehind(type: string, text: string): Promise<Pair> {
  const table = `CREATE TABLE log (id int, at ${type}, note text)`;
  const rows = `INSERT INTO log VALUES (1, '2026-01-15 07:00:00.000123', 'a'), (2, '2026-07-15 07:00:00.123456', 'b')`;
  const pair = await freshPair({
    tables: [{ name: 'log', replication_key: 'at', unique_cols: ['id'], lookback: '0s' }],
    sourceSql: `${table}; ${rows}; INSERT INTO log VALUES (3, '2026-07-15 07:00:00.1239', 'skipped by rounding'),
      (4, '2026-07-15 08:00:00', 'new')`,
    destinationSql: `${table}; ${rows}`,
  });
  await mkdir(join(pair.directory, 'sync-state'));
  await writeFile(join(pair.directory, 'sync-state', 'log.txt'), text);
  return pair;
}

for (const [type, file] of oneIn(2, [
  // 07:00:00.1239 is 124 ms after rounding up; New York is four hours behind UTC in July.
  ['timestamp', '2026-07-15T11:00:00.124Z\n'],
  ['timestamptz', '2026-07-15T07:00:00.124Z'],
] as const)) {
  test(`the older script's file is taken over for a ${type} key`, async () => {
    await using pair = await leftBehind(type, file);
    const table = (await sync(pair, '', NEW_YORK)).table();
    expect(table).toMatchObject({ action: 'incremental', rows_read: 3, rows_inserted: 2, rows_updated: 0 });
    expect(table.warnings.join()).toMatch(/older script.*increp verify/);
    await expectSameRows(pair, 'log');

    await pair.source.query(`UPDATE log SET note = 'c', at = '2026-07-15 09:00' WHERE id = 1`);
    expect((await sync(pair)).table()).toMatchObject({
      action: 'incremental',
      rows_updated: 1,
      warnings: [],
    });
    await expectSameRows(pair, 'log');
  });
}

test('a file that holds no time is set aside, and the table is loaded', async () => {
  await using pair = await leftBehind('timestamptz', 'not a time');
  const table = (await sync(pair)).table();
  expect(table).toMatchObject({
    action: 'initial',
    reason: expect.stringMatching(/no ISO timestamp in UTC/),
  });
  await expectSameRows(pair, 'log');
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', warnings: [] });
});

slowTest(
  'a copy that the older script left with doubled rows is refused until it is loaded again',
  async () => {
    await using pair = await leftBehind('timestamptz', '2026-07-15T07:00:00.124Z');
    await pair.destination.query('INSERT INTO log SELECT * FROM log WHERE id = 1');
    const refused = await trySync(pair);
    expect(refused.exitCode).toBe(1);
    expect(refused.table().error).toMatchObject({
      code: 'MERGE_KEY_NOT_UNIQUE',
      message: expect.stringMatching(/public\.log at the destination has several rows with the same id/),
      hint: expect.stringMatching(/increp sync log --full-refresh/),
    });
    await sync(pair, 'log --full-refresh');
    await expectSameRows(pair, 'log');
  },
);
