/** A source that is replaced by one which lacks what the former had committed last, and gives the same numbers again. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitUntil } from '../support/activity.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { startReplicated } from '../support/standby.ts';
import type { ReplicatedServers } from '../support/standby.ts';
import { sync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

const EVENTS = { name: 'events', replication_key: 'id', unique_cols: ['id'] };
const STAMPED = { name: 'stamped', replication_key: 'updated_at', unique_cols: ['id'] };
const KEPT = { ...STAMPED, name: 'kept' };
const SQL = `CREATE TABLE kept (id int PRIMARY KEY, note text, updated_at timestamptz NOT NULL);
  CREATE INDEX ON kept (updated_at);
  INSERT INTO kept SELECT i, 'base', now() - i * interval '1 day' FROM generate_series(1, 100) i;
  CREATE TABLE events (id bigserial PRIMARY KEY, note text);
  CREATE TABLE stamped (id bigserial PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON stamped (updated_at)`;
const insert = (rows: number, note: string) => `
  INSERT INTO events (note) SELECT '${note}' FROM generate_series(1, ${rows});
  INSERT INTO stamped (note) SELECT '${note}' FROM generate_series(1, ${rows})`;

let servers: ReplicatedServers;

beforeAll(async () => {
  servers = await startReplicated();
});

afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

test('a standby that lagged is promoted, and has passed the cursor before the next sync', async () => {
  const deletes = { deletes: 'hard', deletes_every: '0s', delete_limit: 1 };
  const tables = [{ ...EVENTS, ...deletes }, { ...STAMPED, ...deletes }, KEPT];
  await using pair = await freshPair(
    { tables, sourceSql: `${SQL}; ${insert(100, 'base')}` },
    { sourceServerUrl: servers.primary.url('postgres') },
  );
  await servers.standby.caughtUp();
  await sync(pair);
  const pool = new pg.Pool({
    ...pair.login('source'),
    port: servers.standby.port,
    max: 2,
    allowExitOnIdle: true,
  });
  pool.on('error', () => undefined);
  await pool.query(`ALTER SYSTEM SET primary_conninfo = ''`);
  await pool.query('SELECT pg_reload_conf()');
  await waitUntil('nothing is streamed', async () => {
    const { rowCount } = await pool.query('SELECT FROM pg_stat_wal_receiver');
    return rowCount === 0;
  });
  await pair.source.query(`${insert(1000, 'lost')};
    UPDATE stamped SET note = 'lost', updated_at = now() WHERE id <= 10; DELETE FROM stamped WHERE id = 11;
    UPDATE kept SET note = 'lost', updated_at = now() WHERE id > 90`);
  await sync(pair);
  await servers.standby.promote();
  await pair.setEnv({ SOURCE_PORT: String(servers.standby.port) });
  await pool.query(insert(3000, 'new'));
  const { table } = await sync(pair);
  const promoted = { ...pair, source: pool };
  expect(table('events').warnings.join()).toContain('was replaced since the last sync');
  expect(table('stamped').warnings.join()).toContain('was replaced since the last sync');
  expect(table('kept').warnings.join()).toContain('the rows of the last hour were compared');
  expect(table('kept')).toMatchObject({ rows_updated: 10 });
  await expectSameRows(promoted, 'events');
  await expectSameRows(promoted, 'stamped');
  await expectSameRows(promoted, 'kept');
  await pool.query(insert(5, 'later'));
  expect((await sync(pair)).table('events')).toMatchObject({ warnings: [], rows_inserted: 5 });
  await expectSameRows(promoted, 'events');
  await pool.end();
});

const eventsPair = (more: object = {}): Promise<Pair> =>
  freshPair({ tables: [{ ...EVENTS, ...more }], sourceSql: `${SQL}; ${insert(100, 'base')}` });

/** As if the last sync had been one of another server; its rows below the cursor are others now. */
async function replaced(pair: Pair, change: string): Promise<void> {
  await sync(pair);
  await pair.destination.query(`UPDATE _increp_state SET record = ${change};
    UPDATE events SET note = 'lost' WHERE id BETWEEN 50 AND 80; DELETE FROM events WHERE id = 20;
    INSERT INTO events VALUES (70000, 'lost for good')`);
}

const LATER = `jsonb_set(record, '{settledXid}', '"900000000"')`;
for (const [what, change, isSaid] of oneIn(2, [
  ['another timeline', `jsonb_set(record, '{sourceLife, timeline}', '99')`, true],
  ['transaction IDs that were given before', LATER, true],
  ['a restart, of a small table', `jsonb_set(record, '{sourceLife, startedAt}', '"1/2"')`, false],
] as const))
  test(`${what}: every row is compared, and only what is gone stays`, async () => {
    await using pair = await eventsPair();
    await replaced(pair, change);
    const table = (await sync(pair)).table();
    expect(table).toMatchObject({
      action: 'incremental',
      rows_inserted: 1,
      rows_updated: 31,
      rows_deleted: 0,
    });
    expect(table.warnings.join().includes('was replaced since the last sync')).toBe(isSaid);
    const verified = await increp('verify --json', pair);
    expect(verified.json<{ tables: object[] }>().tables[0]).toMatchObject({
      missing: 0,
      extra: 1,
      changed: 0,
    });
    expect((await sync(pair)).table()).toMatchObject({ warnings: [], rows_read: 0 });
  });

test('with deletes, and compared before it is committed', async () => {
  await using pair = await eventsPair({ deletes: 'hard', deletes_every: '0s' });
  await replaced(pair, `jsonb_set(record, '{sourceLife, timeline}', '99')`);
  await sync(pair, '--verify');
  await expectSameRows(pair, 'events');
});
