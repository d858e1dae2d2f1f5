/** Replication keys of every type: what each of them sees, and that none of them skips a row. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { sync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const LOG = { name: 'log', replication_key: 'key', unique_cols: ['id'] };

const logPair = (key: string, more: object = {}, sql = ''): Promise<Pair> =>
  freshPair({
    tables: [{ ...LOG, ...more }],
    sourceSql: `${sql}; CREATE TABLE log (id bigint PRIMARY KEY, key ${key}, note text); CREATE INDEX ON log (key)`,
  });

/** A table whose only key is the number of the row. */
const numberedPair = (id: string, more: object = {}): Promise<Pair> =>
  freshPair({
    tables: [{ name: 'log', replication_key: 'id', unique_cols: ['id'], ...more }],
    sourceSql: `CREATE TABLE log (id ${id} PRIMARY KEY, note text)`,
  });

test.each(
  oneIn(2, [
    ['smallint', ['-1', '9', '10']],
    ['integer', ['99', '100']],
    // Beyond what a double holds, where the last digits count.
    ['bigint', ['9007199254740993', '9007199254740994']],
    ['a domain', ['1', '9', '10']],
  ] as const),
)('a key of type %s is compared as a number', async (type, values) => {
  await using pair = await logPair(
    type === 'a domain' ? 'numbers' : type,
    {},
    'CREATE DOMAIN numbers AS int CHECK (VALUE > 0)',
  );
  for (const [place, value] of values.entries()) {
    await pair.source.query(`INSERT INTO log VALUES (${place}, ${value})`);
    expect((await sync(pair)).table()).toMatchObject({ cursor: value, rows_inserted: 1 });
  }
  await expectSameRows(pair, 'log');
});

/** Of values so far apart the lowest one is the cursor, and what is above it is read each time. */
test.each(
  oneIn(3, [
    ['smallint', ['-32768', '-1', '9', '10', '32767']],
    ['integer', ['-2147483648', '99', '100', '2147483647']],
    ['bigint', ['-9223372036854775808', '9007199254740993', '9007199254740994', '9223372036854775807']],
  ] as const),
)('a key of type %s is compared as a number, up to its ends', async (type, values) => {
  await using pair = await logPair(type);
  for (const [place, value] of values.entries()) {
    await pair.source.query(`INSERT INTO log VALUES (${place}, ${value})`);
    expect((await sync(pair)).table()).toMatchObject({ cursor: values[0], rows_inserted: 1 });
  }
  await expectSameRows(pair, 'log');
});

test.each(oneIn(2, ['int GENERATED ALWAYS AS IDENTITY', 'bigserial']))(
  'a key of %s sees new rows, gaps and all, and no changes; lookback means nothing for it',
  async (id) => {
    await using pair = await numberedPair(id, { lookback: '1h' });
    await pair.source.query(`INSERT INTO log (note) SELECT 'row' FROM generate_series(1, 10)`);
    await sync(pair);
    await pair.source.query(`BEGIN; INSERT INTO log (note) VALUES ('gone'); ROLLBACK`);
    await pair.source.query(`INSERT INTO log (note) VALUES ('after a gap')`);
    await pair.source.query(`UPDATE log SET note = 'changed' WHERE id = 3`);
    expect((await sync(pair)).table()).toMatchObject({ rows_read: 1, rows_inserted: 1, rows_updated: 0 });
    await expectSameRows(pair, 'log', { where: 'id <> 3' });
    const { stdout } = await increp('check --json', pair);
    expect(stdout).toContain('KEY_INSERT_ONLY');
  },
);

test('lower numbers that commit late arrive, however little lookback there is', async () => {
  await using pair = await numberedPair('bigserial', { lookback: '0s' });
  const late = await pair.source.connect();
  try {
    await late.query(`BEGIN; INSERT INTO log (note) VALUES ('late')`);
    await pair.source.query(`INSERT INTO log (note) VALUES ('early')`);
    expect((await sync(pair, '--wait-transactions 0s')).table()).toMatchObject({
      rows_inserted: 1,
      cursor: '2',
    });
    await late.query('COMMIT');
  } finally {
    late.release();
  }
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, cursor: '2' });
  await expectSameRows(pair, 'log');
});

test.each(
  oneIn(2, [
    ['and the rows written since are found by who wrote them', ''],
    ['and where that does not show the table is read as a whole', 'CREATE TABLE more () INHERITS (log)'],
  ]),
)('a sequence is restarted, %s', async (_, sql) => {
  await using pair = await numberedPair('serial', { deletes: 'hard', deletes_every: '0s', delete_limit: 1 });
  if (sql !== '') await pair.source.query(sql);
  await pair.source.query(`INSERT INTO log (note) SELECT 'before' FROM generate_series(1, 10)`);
  await sync(pair);
  await pair.source.query(`TRUNCATE log RESTART IDENTITY`);
  await pair.source.query(`INSERT INTO log (note) SELECT 'after' FROM generate_series(1, 4)`);
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 4, rows_deleted: 6, cursor: '4' });
  await expectSameRows(pair, 'log');
  await pair.source.query(`INSERT INTO log (note) VALUES ('more')`);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, cursor: '5' });
  await expectSameRows(pair, 'log');
});

slowTest('the newest numbers are deleted: nothing is missed, and no more is read than before', async () => {
  await using pair = await numberedPair('serial');
  await pair.source.query(`INSERT INTO log (note) SELECT 'row' FROM generate_series(1, 1000)`);
  await sync(pair);
  await pair.source.query(`DELETE FROM log WHERE id > 990; INSERT INTO log VALUES (991, 'again')`);
  const { rows_read: read } = (await sync(pair)).table();
  expect(read).toBe(1);
  await expectSameRows(pair, 'log', { where: 'id <= 991' });
});

test('several changes on one day arrive one after the other, by a date', async () => {
  await using pair = await logPair(`date DEFAULT current_date`);
  await pair.source.query(`INSERT INTO log (id, note) SELECT i, 'first' FROM generate_series(1, 5) i`);
  const { cursor } = (await sync(pair)).table();
  for (const note of ['second', 'third']) {
    await pair.source.query(`UPDATE log SET note = '${note}', key = current_date WHERE id = 2`);
    expect((await sync(pair)).table()).toMatchObject({ rows_updated: 1, cursor });
    await expectSameRows(pair, 'log');
  }
  const { stdout } = await increp('check --json', pair);
  expect(stdout).toContain('KEY_DAY_GRANULARITY');
});

slowTest('a date reaches down by whole days: yesterday always, and further as lookback says', async () => {
  await using pair = await logPair('date');
  const insert = (id: number, days: number) =>
    pair.source.query(`INSERT INTO log VALUES (${id}, current_date - ${days})`);
  await insert(1, 0);
  await sync(pair);
  await insert(2, 1);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
  await insert(3, 3);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0 });
  await pair.writeTables([{ ...LOG, lookback: '3d' }]);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
  // A day that is yet to come never becomes the cursor, or today's rows would lie below it.
  await insert(4, -9);
  const { cursor } = (await sync(pair)).table();
  await insert(5, 0);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1, cursor });
  await expectSameRows(pair, 'log');
});

/** Other zones on each side than in the process, and sessions that say otherwise still. */
async function inZones(
  pair: Pair,
  zones: { source: string; destination: string; role: string },
): Promise<void> {
  const { database, user } = pair.login('source', 'increp');
  await pair.source.query(
    `ALTER DATABASE "${database}" SET timezone = '${zones.source}'; ALTER ROLE "${user}" SET timezone = '${zones.role}'`,
  );
  const destination = pair.login('destination').database;
  await pair.destination.query(`ALTER DATABASE "${destination}" SET timezone = '${zones.destination}'`);
}

slowTest('timestamptz: the hour that comes twice is two hours, in whatever zone anybody is', async () => {
  await using pair = await logPair('timestamptz', { lookback: '0s' });
  await inZones(pair, { source: 'America/New_York', destination: 'Asia/Kolkata', role: 'Europe/Berlin' });
  const env = { TZ: 'Australia/Lord_Howe' };
  // 02:30 in Berlin, twice; and in New York a week later.
  const moments = [
    '2024-10-27 00:30:00.000001Z',
    '2024-10-27 01:30:00Z',
    '2024-11-03 01:30:00-04',
    '2024-11-03 01:30:00-05',
  ];
  for (const [id, at] of moments.entries()) {
    await pair.source.query('INSERT INTO log VALUES ($1, $2)', [id, at]);
    expect((await sync(pair, '', { env })).table()).toMatchObject({ rows_inserted: 1 });
  }
  const { cursor } = (await sync(pair, '', { env: { TZ: 'UTC' } })).table();
  expect(cursor).toBe('2024-11-03 06:30:00+00');
  await expectSameRows(pair, 'log');
});

slowTest('timestamp: local time goes back an hour, and lookback covers it', async () => {
  await using pair = await logPair('timestamp', { lookback: '2h' });
  await inZones(pair, { source: 'Europe/Berlin', destination: 'America/New_York', role: 'Asia/Kolkata' });
  const env = { TZ: 'America/Los_Angeles' };
  // As an application in Berlin writes them, one after the other.
  const moments = [
    '2024-10-27 02:59:59.999999',
    '2024-10-27 02:00:00',
    '2024-10-27 02:30:00',
    '2024-10-27 03:00:00',
  ];
  for (const [id, at] of moments.entries()) {
    await pair.source.query(`INSERT INTO log VALUES (${id}, '${at}')`);
    expect((await sync(pair, '', { env })).table()).toMatchObject({ rows_inserted: 1 });
  }
  expect((await sync(pair, '', { env })).table().cursor).toBe('2024-10-27 03:00:00');
  await expectSameRows(pair, 'log');
  const { stdout } = await increp('check --json', pair);
  expect(stdout).not.toContain('LOCAL_TIME');
});

test('timestamp: a clock in the zone of the server is not the future, wherever the session is', async () => {
  await using pair = await logPair('timestamp', { lookback: '0s' });
  // Ahead of UTC: by the clock of UTC the newest rows would lie hours ahead.
  await inZones(pair, { source: 'Pacific/Auckland', destination: 'UTC', role: 'America/New_York' });
  const insert = (id: number) =>
    pair.source.query(`INSERT INTO log VALUES (${id}, clock_timestamp() AT TIME ZONE 'Pacific/Auckland')`);
  await insert(1);
  await sync(pair);
  await insert(2);
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
  const { rows } = await pair.source.query<{ key: string }>('SELECT max(key)::text AS key FROM log');
  expect((await sync(pair)).table().cursor).toBe(rows[0]?.key);
  await expectSameRows(pair, 'log');
});
