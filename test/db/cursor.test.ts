/** What becomes the cursor, what never does, and what lies exactly at it. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const logTable = (type: string, more: object = {}) => ({
  tables: [{ name: 'log', replication_key: 'at', unique_cols: ['id'], lookback: '0s', ...more }],
  sourceSql: `CREATE TABLE log (id int PRIMARY KEY, at ${type}, note text); CREATE INDEX ON log (at)`,
});

const insert = (pair: Pair, id: number, at: string) =>
  pair.source.query(`INSERT INTO log (id, at) VALUES (${id}, ${at})`);

test('a row that is written exactly at the cursor is not missed', async () => {
  await using pair = await freshPair(logTable('timestamptz'));
  const at = `'2026-01-02 03:04:05.678901+00'`;
  await insert(pair, 1, at);
  expect((await sync(pair)).table().cursor).toBe('2026-01-02 03:04:05.678901+00');
  await insert(pair, 2, at);
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 1, rows_inserted: 1, rows_unchanged: 0 });
  await expectSameRows(pair, 'log');
});

test('a microsecond below the cursor is below it, and one above is above', async () => {
  await using pair = await freshPair(logTable('timestamptz'));
  await insert(pair, 1, `'2026-01-02 03:04:05.678901+00'`);
  await sync(pair);
  await insert(pair, 2, `'2026-01-02 03:04:05.678902+00'`);
  expect((await sync(pair)).table()).toMatchObject({
    rows_read: 1,
    cursor: '2026-01-02 03:04:05.678902+00',
  });
  await insert(pair, 3, `'2026-01-02 03:04:05.678903+00'`);
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 1, rows_inserted: 1 });
  await expectSameRows(pair, 'log');
});

test('ten thousand rows with one key arrive whole, and then only the row that changes', async () => {
  await using pair = await freshPair(logTable('timestamptz'));
  await pair.source.query(`INSERT INTO log SELECT i, '2026-01-01+00' FROM generate_series(1, 10000) i`);
  await sync(pair);
  await pair.source.query(`UPDATE log SET note = 'x' WHERE id = 5000`);
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 1, rows_updated: 1 });
  await expectSameRows(pair, 'log');
});

for (const type of oneIn(3, ['timestamptz', 'timestamp', 'date'] as const)) {
  test(`${type} keys that no clock gives are copied and never become the cursor`, async () => {
    await using pair = await freshPair(logTable(type));
    const today = { timestamptz: 'now()', timestamp: 'localtimestamp', date: 'current_date' }[type];
    const odd = [
      `'infinity'`,
      `'-infinity'`,
      `'4713-01-01 BC'`,
      `'0001-12-31 BC'`,
      `${today} + interval '10 years'`,
    ];
    const last = type === 'date' ? `'5874897-12-31'` : `'294276-12-31'`;
    for (const [id, at] of [...odd, last, `${today} + interval '2 days'`].entries())
      await insert(pair, id, at);
    expect((await sync(pair)).table()).toMatchObject({ rows_read: 7, cursor: null });
    await insert(pair, 100, today);
    const first = (await sync(pair)).table();
    expect(first.cursor).toMatch(/^20\d\d-/);
    await expectSameRows(pair, 'log');
    await insert(pair, 101, today);
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
    await pair.source.query(`UPDATE log SET note = 'changed' WHERE at > ${today}`);
    const { cursor, rows_updated } = (await sync(pair)).table();
    expect(rows_updated).toBe(4);
    expect(cursor?.slice(0, 10)).toBe(first.cursor?.slice(0, 10));
    await expectSameRows(pair, 'log');
  });
}

test('rows without a key are copied at the load and told of; with "include" their changes follow', async () => {
  await using pair = await freshPair(logTable('timestamptz'));
  await pair.source.query(
    `INSERT INTO log SELECT i, CASE WHEN i > 3 THEN now() END FROM generate_series(1, 5) i`,
  );
  expect((await sync(pair)).table()).toMatchObject({
    rows_read: 5,
    warnings: [/^3 rows have no at \(NULL\)/],
  });
  await expectSameRows(pair, 'log');

  await pair.source.query(`UPDATE log SET note = 'unseen' WHERE id = 1`);
  await insert(pair, 6, 'NULL');
  expect((await sync(pair)).table()).toMatchObject({
    rows_inserted: 0,
    rows_updated: 0,
    warnings: [/^4 rows have no at \(NULL\)/],
  });
  const verified = await increp('verify', pair);
  expect(verified.stdout).toMatch(/1 missing at the destination.*\n.*\n +note: 4 rows have no at \(NULL\)/);

  await pair.writeTables(logTable('timestamptz', { null_keys: 'include' }).tables);
  const included = (await sync(pair)).table();
  expect(included).toMatchObject({ rows_inserted: 1, rows_updated: 1, warnings: [] });
  await expectSameRows(pair, 'log');
  await pair.source.query(`UPDATE log SET at = now() WHERE id = 6; UPDATE log SET at = NULL WHERE id = 5`);
  await sync(pair);
  await expectSameRows(pair, 'log');
});

for (const type of oneIn(2, ['timestamptz', 'timestamp'] as const)) {
  slowTest(`${type} keys keep their value whatever the zones of the roles and of this process`, async () => {
    await using pair = await freshPair(logTable(type));
    await pair.source.query(
      `ALTER ROLE ${pair.login('source', 'increp').user} SET TimeZone = 'Asia/Kolkata'`,
    );
    await pair.source.query(`ALTER ROLE ${pair.login('source', 'increp').user} SET DateStyle = 'SQL, DMY'`);
    await pair.destination.query(
      `ALTER ROLE ${pair.login('destination', 'increp').user} SET TimeZone = 'America/St_Johns'`,
    );
    const options = { env: { TZ: 'Pacific/Apia' } };
    await insert(pair, 1, `'2026-03-08 02:30:00.000001'`);
    expect((await sync(pair, '', options)).table().cursor).toMatch(/^2026-03-08 02:30:00\.000001(\+00)?$/);
    await insert(pair, 2, `'2026-03-08 02:30:00.000002'`);
    expect((await sync(pair, '', options)).table()).toMatchObject({ rows_read: 1, rows_inserted: 1 });
    await insert(pair, 3, `'2026-11-01 01:30:00'`);
    await sync(pair, '', { env: { TZ: 'America/New_York' } });
    await expectSameRows(pair, 'log');
  });
}

test('a cursor does not lose to a clock of an application that lags behind by less than lookback', async () => {
  await using pair = await freshPair(logTable('timestamptz', { lookback: '1m' }));
  await insert(pair, 1, 'now()');
  await sync(pair);
  await insert(pair, 2, `now() - interval '50 seconds'`);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
  await insert(pair, 3, `now() - interval '1 hour'`);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0 });
});

test('with "deletes": "hard", keys that go back are a note that says when the rows that are gone are removed', async () => {
  await using pair = await freshPair(logTable('timestamptz', { deletes: 'hard' }));
  await insert(pair, 1, `'2026-01-02 03:04:05+00'`);
  await insert(pair, 2, `'2026-03-02 03:04:05+00'`);
  await sync(pair);
  await pair.source.query('DELETE FROM log WHERE id = 2');
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toMatch(
    / note: the largest at .* rows may be gone there; "deletes": "hard" removes them at its next comparison\. To compare now/,
  );
  expect((await increp('plan --deletes', pair)).stdout.replaceAll(/\s+/g, ' ')).toMatch(
    / note: the largest at .* rows may be gone there; the comparison of this sync finds them/,
  );
  const { stdout } = await increp('sync', pair);
  expect(stdout).toMatch(/\n {4}note: the largest at of the source went back/);
  expect(stdout).not.toContain('because');
});

test('keys that go back at the source are named, and the rows that changed with them arrive', async () => {
  await using pair = await freshPair(logTable('timestamptz'));
  await insert(pair, 1, `'2026-01-02 03:04:05+00'`);
  await insert(pair, 2, `'2026-03-02 03:04:05+00'`);
  await sync(pair);
  await pair.source.query(`DELETE FROM log WHERE id = 2; UPDATE log SET at = '2025-01-02 03:04:05+00'`);
  const why =
    'the largest at of the source went back from 2026-03-02 03:04:05+00 to 2025-01-02 03:04:05+00, so rows may be gone there';
  expect((await increp('plan', pair)).stdout).toContain(`\n    note: ${why}`);
  expect((await increp('sync -q', pair)).stdout).toContain(`warning: ${why}`);
  expect((await pair.destination.query('SELECT id, at::text FROM log ORDER BY id')).rows[0]).toMatchObject({
    at: expect.stringMatching(/^2025-01-02/),
  });
  expect((await increp('sync', pair)).stdout).not.toContain('went back');
  // Only after a failover or a restore, the rows that are gone are a difference to look at.
  expect((await increp('status', pair)).stdout).toMatch(/^ok /m);
  await pair.source.query('DELETE FROM log');
  expect((await increp('sync', pair)).stdout).toContain(
    'warning: no row of the source has a value in at any more, as in an emptied table (the largest was 2025-01-02 03:04:05+00)',
  );
});
