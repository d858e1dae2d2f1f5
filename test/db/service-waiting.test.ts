/** How many rows of the source wait for a sync, as the service shows it. */
import { expect, test } from 'vitest';
import { freshPair } from '../support/pair.ts';
import { controlPlace } from '../support/service.ts';
import { apiOf, makeToken } from '../support/service-api.ts';

const KEYED = { replication_key: 'updated_at', unique_cols: ['id'], initial_load: 'copy' } as const;
const PAUSED = ['paused', 'unindexed', 'crashed'];

test('rows that wait are counted by an index alone, are never guessed, and are gone after the sync', async () => {
  await using pair = await freshPair({
    tables: [],
    sourceSql: ['failing', ...PAUSED]
      .map(
        (name) =>
          `CREATE TABLE ${name} (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
           INSERT INTO ${name} SELECT n FROM generate_series(1, 10) n;
           ${name === 'unindexed' ? '' : `CREATE INDEX ON ${name} (updated_at)`}`,
      )
      .join(';'),
  });
  await pair.writeTables({
    ...{ schedule: { every: '1s' }, jobs: 4 },
    tables: ['failing', ...PAUSED, 'missing'].map((name) => ({ ...KEYED, name })),
  });
  await using control = await controlPlace();
  await control.add('shop', pair);
  const serve = control.start('serve --no-worker --listen 127.0.0.1:0');
  await control.until('SELECT FROM pipelines');
  control.start('work --drain 0s');
  const { ask, call } = await apiOf(serve, await makeToken(control, { role: 'operate' }));
  await control.until(`SELECT count(*) = 4 FROM tables WHERE state = 'ok'`);
  for (const table of PAUSED)
    await ask('PUT', `/pipelines/shop/tables/${table}/pause`, { reason: 'migration' });
  // A look that began before the pauses may still send jobs.
  await control.until(`SELECT FROM attempts WHERE table_name IS NULL AND state = 'done'
    AND started_at > (SELECT max(made_at) FROM pauses)`);
  await control.until(
    `SELECT count(*) = 0 FROM attempts WHERE state = 'running' AND table_name <> 'missing'`,
  );
  await control.rows(`UPDATE tables SET state = 'crashed' WHERE table_name = 'crashed'`);
  await pair.destination.query(`ALTER TABLE failing ADD CHECK (id < 11) NOT VALID`);
  const add = (table: string, rows: number) =>
    pair.source.query(`INSERT INTO ${table} SELECT n + 10 FROM generate_series(1, ${rows}) n`);
  await add('paused', 12_000);
  await add('unindexed', 4);
  await add('crashed', 2);
  await add('failing', 3);
  await control.until(`SELECT is_waiting_more FROM tables WHERE table_name = 'paused'`);
  await control.until(`SELECT rows_waiting = 3 FROM tables WHERE table_name = 'failing'`);
  await control.until(`SELECT rows_waiting IS NULL FROM tables WHERE table_name = 'unindexed'`);

  const counts = async () => {
    const { json } = await ask('GET', '/pipelines/shop/tables');
    const tables = json['tables'] as { table: string; rows_waiting: { rows: number | null } }[];
    return Object.fromEntries(tables.map(({ table, rows_waiting: { rows } }) => [table, rows]));
  };
  // The failing table has read 10 rows of its window before, and they do not count.
  expect(await counts()).toEqual({
    ...{ paused: 10_000, failing: 3, unindexed: null, missing: null },
    // A look does not touch a table at which workers crash, so this is the number of its last sync.
    crashed: 0,
  });
  expect((await ask('GET', '/pipelines')).json).toMatchObject({
    pipelines: [{ rows_waiting: { rows: 10_003, is_more: true, unknown: 2, at: expect.any(String) } }],
  });
  expect((await call('/metrics')).text).toContain(
    'increp_service_table_rows_waiting{pipeline="shop",table="failing"} 3',
  );

  await pair.destination.query(`ALTER TABLE failing DROP CONSTRAINT failing_id_check`);
  await ask('DELETE', '/pipelines/shop/tables/paused/pause');
  await control.until(
    `SELECT bool_and(rows_waiting = 0) FROM tables WHERE table_name IN ('paused', 'failing')`,
  );
});
