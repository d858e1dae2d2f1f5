/** A table in mode full-refresh as a person, a monitor and a script see it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { sync } from '../support/sync.ts';

test('plan, sync, status, history and metrics tell of it without a cursor', async () => {
  await using pair = await freshPair({
    tables: [
      {
        name: 'rates',
        mode: 'full-refresh',
        skip_unchanged: true,
        initial_load: 'copy',
        max_staleness: '1h',
      },
    ],
    sourceSql: `CREATE TABLE rates (currency text, rate numeric);
      INSERT INTO rates SELECT 'C' || i, i FROM generate_series(1, 1000) i; ANALYZE rates`,
  });
  await pair.setEnv({ METRICS_TEXTFILE: 'increp.prom' });
  const { stdout: before } = await increp('plan', pair);
  expect(before).toMatch(
    /^\+ rates {2}initial {7}there is no destination table yet; by copy, about 1,000 rows/,
  );
  await sync(pair);
  const { stdout: planned, exitCode } = await increp('plan --exit-code', pair);
  expect(planned.replaceAll(/\s+/g, ' ')).toContain(
    '~ rates full-refresh mode is full-refresh, so each sync loads the table again, unless a scan of the source table shows that nothing was written (skip_unchanged); by copy, about 1,000 rows',
  );
  expect(exitCode).toBe(2);

  const { stdout: skipped } = await increp('sync', pair);
  expect(skipped).toMatch(/ok +rates +\S+ s +no new rows/);
  expect(skipped).toContain('because nothing has changed at the source since 20');
  const { stdout: status, exitCode: health } = await increp('status --exit-code', pair);
  expect(status).toMatch(/^ok +rates +\d+ \S+ ago +\d+ \S+ +1,000 +-$/m);
  expect(health).toBe(0);
  const { stdout: history } = await increp('history rates', pair);
  expect(history).toMatch(/skipped/);
  const metrics = await readFile(join(pair.directory, 'increp.prom'), 'utf8');
  expect(metrics).toMatch(/^increp_table_lag_seconds\{.*table="rates".*\} [\d.]+$/m);
  expect(metrics).toMatch(/^increp_table_last_success_timestamp_seconds\{.*table="rates".*\} \d/m);

  await pair.source.query('ALTER TABLE rates ADD COLUMN since date');
  const { stdout: drifted } = await increp('status', pair);
  expect(drifted).toMatch(/^drift +rates/m);
  const { stdout: found } = await increp('check --json', pair);
  expect(found).toContain('DRIFT');
  expect(found).not.toContain('KEY_NOT_INDEXED');
});

test('"increp reset" loads it again', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'rates', mode: 'full-refresh', skip_unchanged: true }],
    sourceSql: 'CREATE TABLE rates AS SELECT generate_series(1, 10) AS rate',
  });
  await sync(pair);
  expect((await sync(pair)).table().action).toBe('skipped');
  expect((await increp('reset rates', pair)).exitCode).toBe(0);
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', rows_unchanged: 10 });
});

test('a requested full refresh that failed is named until the table is loaded', async () => {
  await using pair = await freshPair({
    tables: ['a', 'b', 'c'].map((name) => ({ name, replication_key: 'id', unique_cols: ['id'] })),
    sourceSql: ['a', 'b', 'c']
      .map((name) => `CREATE TABLE ${name} AS SELECT generate_series(1, 10) AS id;`)
      .join('\n'),
  });
  await sync(pair);
  for (const name of ['b', 'c'])
    await pair.destination.query(`INSERT INTO ${name} SELECT generate_series(101, 200)`);
  expect((await increp('sync --full-refresh', pair)).exitCode).toBe(3);
  await sync(pair);
  const { stdout: status, exitCode } = await increp('status --exit-code', pair);
  expect(status).toMatch(/^ok +a /m);
  expect(status).toMatch(/^pending +b /m);
  expect(status).toContain('PENDING full refresh, requested but not done, 2 tables: b, c');
  expect(status).toContain('increp sync b c --full-refresh');
  expect(status).toContain('increp verify b c');
  expect(exitCode).toBe(2);
  const { stdout: plan } = await increp('plan b', pair);
  expect(plan).toContain('has not loaded this table');

  await increp('sync b --full-refresh --force', pair);
  await pair.destination.query('DELETE FROM c WHERE id > 100');
  expect((await increp('verify c', pair)).exitCode).toBe(0);
  expect((await increp('status --exit-code', pair)).exitCode).toBe(0);
});
