/** What the page and the API read of the control database. */
import { expect, test } from 'vitest';
import {
  readAttempts,
  readPauses,
  readQueue,
  readRunning,
  readWorkers,
} from '../../src/serve/read/activity.ts';
import { readAudit, readEvents } from '../../src/serve/read/audit.ts';
import { readOverview, readPeriods } from '../../src/serve/read/overview.ts';
import {
  readPipeline,
  readSchedules,
  readServing,
  readStateCounts,
  readTableList,
} from '../../src/serve/read/pipeline.ts';
import { readRun, readRuns } from '../../src/serve/read/run.ts';
import { readLags, readTable } from '../../src/serve/read/table.ts';
import type { ControlSession } from '../../src/postgres/control-database.ts';
import { emptyControl } from '../support/empty-control.ts';
import { freshPair } from '../support/pair.ts';
import { controlPlace, waitForRows, type ControlPlace } from '../support/service.ts';
import { insertOrders, ORDERS_CONFIG } from '../support/shop.ts';

const EVERYTHING = { visible: null, search: '', limit: 50, offset: 0, silentSeconds: 60 };
const TABLES = { search: '', state: '', order: 'trouble', limit: 50, offset: 0 } as const;

test('after a sync, each read model shows it', async () => {
  await using pair = await freshPair('orders');
  await using control = await controlPlace();
  const missing = { ...ORDERS_CONFIG, name: 'missing' };
  const disabled = { ...ORDERS_CONFIG, name: 'later', enabled: false };
  await pair.writeTables({ schedule: { every: '1s' }, tables: [ORDERS_CONFIG, missing, disabled] });
  await control.add('shop', pair);
  control.start('serve --no-worker --listen 127.0.0.1:0');
  await control.until('SELECT FROM pipelines');
  control.start('work --drain 0s');
  await control.until(`SELECT count(*) = 2 FROM tables WHERE state IN ('ok', 'failing')`);
  await insertOrders(pair, 5);
  await waitForRows(pair, 'orders', 15);
  await control.until(`SELECT count(*) = 2 FROM attempts WHERE table_name = 'orders' AND state = 'done'`);
  await control.until(`SELECT FROM runs WHERE state = 'partial'`);
  const session = control.pool;

  const overview = await readOverview(session, EVERYTHING);
  expect(overview).toMatchObject({ tables: 2, tablesInTrouble: 1, pipelines: 1, pipelinesFound: 1 });
  expect(overview.attention).toMatchObject([
    { table: 'missing', state: 'failing', outcome: [{ error: { code: 'TABLE_NOT_FOUND' } }] },
  ]);
  expect(overview.pipelineRows).toMatchObject([
    {
      ...{ pipeline: 'shop', tables: 3, trouble: 1, states: { failing: 1, disabled: 1 }, problem: null },
      ...{ worst: { table: 'orders' }, schedule: { seconds: 1 }, rows: 15, isServed: true },
    },
  ]);
  expect(await readOverview(session, { ...EVERYTHING, visible: [] })).toMatchObject({
    tables: 0,
    pipelines: 0,
  });
  expect(await readOverview(session, { ...EVERYTHING, search: 'crm' })).toMatchObject({
    ...{ pipelines: 1, pipelinesFound: 0 },
  });
  expect((await readPeriods(session, null)).at(-1)).toMatchObject({ inserted: 15 });

  expect(await readPipeline(session, 'shop')).toMatchObject({
    ...{ jobs: 1, problem: null, removedAt: null },
    described: { source: expect.stringContaining('127.0.0.1'), destinations: [expect.any(String)] },
  });
  expect(JSON.stringify(await readPipeline(session, 'shop'))).toContain('"***"');
  expect(await readSchedules(session, 'shop')).toMatchObject([{ entry: '', seconds: 1, problem: null }]);
  expect(await readServing(session, 'shop', 60)).toMatchObject([{ serves: true, lacks: null }]);
  expect(await readStateCounts(session, 'shop')).toMatchObject({ failing: 1, disabled: 1 });
  const list = await readTableList(session, { ...TABLES, pipeline: 'shop' });
  expect(list.map(({ table }) => table)).toEqual(['missing', 'orders', 'later']);
  expect(list[1]).toMatchObject({ rows: 15, found: 3, p95: expect.any(Number) });
  expect(await readTableList(session, { ...TABLES, pipeline: 'shop', state: 'disabled' })).toHaveLength(1);

  expect(await readTable(session, 'shop', 'orders')).toMatchObject({
    ...{
      behindAfter: 300,
      staleAfter: null,
      settings: { unique_cols: ['id'], destination_table: 'public.orders' },
    },
    outcome: [{ status: 'ok', rows_read: expect.any(Number) }],
  });
  expect(await readTable(session, 'shop', 'none')).toBeUndefined();
  expect(await readLags(session, 'shop', 'orders')).toMatchObject([{ seconds: expect.any(Number) }]);
  // The first look after a load may find work of its own, so the latest attempt may have no rows.
  const attempts = await readAttempts(session, { pipeline: 'shop', table: 'orders', limit: 9 });
  const latest = attempts.find(({ outcome }) => outcome?.tables[0]?.rows_inserted === 5);
  expect(latest).toMatchObject({ state: 'done', outcome: { tables: [{ status: 'ok' }] } });
  expect(latest?.progress.phases.map(({ phase }) => phase)).toEqual(
    expect.arrayContaining(['copy', 'merge', 'commit']),
  );

  const runs = await readRuns(session, { visible: null, pipeline: 'shop', limit: 100 });
  // Only the first run is sure to have work for both tables.
  const partial = runs.findLast(({ state }) => state === 'partial');
  const run = await readRun(session, partial?.id ?? '', 60);
  expect(run).toMatchObject({ origin: 'schedule', look: { state: 'done' }, work: [{ state: 'failed' }, {}] });
  expect(await readRun(session, `' OR true`, 60)).toBeUndefined();
  expect(await readWorkers(session, 60)).toMatchObject([{ state: 'working', capacity: 4, serves: ['shop'] }]);
  expect(await readQueue(session, null)).toMatchObject({ waiting: expect.any(Number) });
  expect(await readEvents(session, { visible: null, pipeline: null, limit: 10 })).toEqual([]);
  expect(await readAudit(session, { visible: null, pipeline: null, limit: 10 })).toEqual([]);
});

const add = (control: ControlPlace, table: string, columns: Readonly<Record<string, string>>) =>
  control.rows(`INSERT INTO tables (pipeline, table_name, ${Object.keys(columns).join(', ')})
    VALUES ('shop', '${table}', ${Object.values(columns).join(', ')})`);

test('a table has one state: trouble wins over activity, and a table without a success is never ok', async () => {
  await using control = await controlPlace();
  await emptyControl(control);
  await control.rows(`INSERT INTO pipelines (name, queue, jobs) VALUES ('shop', 'pipeline/shop', 1)`);
  const ok = { state: `'ok'`, last_success_at: 'now()' };
  const old = { ...ok, last_success_at: `now() - interval '2 hours'` };
  await add(control, 'ok', { ...ok, behind_after: '60', stale_after: '600' });
  await add(control, 'behind', { ...old, behind_after: '60', stale_after: '36000' });
  await add(control, 'stale', { ...old, behind_after: '60', stale_after: '600' });
  await add(control, 'unlimited', old);
  await add(control, 'new', { state: `'new'` });
  await add(control, 'new and running', { state: `'new'` });
  await add(control, 'failing and running', { state: `'failing'` });
  await add(control, 'stale and running', { ...old, stale_after: '600' });
  await add(control, 'changed', { state: `'failing'`, error_code: `'SCHEMA_CHANGE_REFUSED'` });
  await add(control, 'crashed', { state: `'crashed'` });
  await add(control, 'paused', { ...old, stale_after: '600' });
  await add(control, 'disabled', { state: `'crashed'`, is_enabled: 'false' });
  await add(control, 'waiting', { state: `'new'`, listed_at: `now() - interval '2 hours'` });
  await control.rows(`INSERT INTO attempts (pipeline, table_name, queue, job_id, job_attempt, worker_id, program)
    SELECT 'shop', name, 'q', gen_random_uuid(), 0, gen_random_uuid(), 'p'
    FROM unnest(ARRAY['new and running', 'failing and running', 'stale and running']) name`);
  await control.rows(`INSERT INTO pauses (pipeline, table_name, reason, made_by) VALUES
    ('shop', 'paused', 'test', 'me'), ('shop', 'crashed', 'crashed', 'increp')`);
  await control.rows(`INSERT INTO pauses (pipeline, reason, made_by, ends_at)
    VALUES ('shop', 'over', 'me', now() - interval '1 s')`);
  const states = async () =>
    Object.fromEntries(
      (await readTableList(control.pool, { ...TABLES, pipeline: 'shop' })).map(({ table, state }) => [
        table,
        state,
      ]),
    );
  expect(await states()).toEqual({
    ...{ crashed: 'crashed', changed: 'schema_change', 'failing and running': 'failing' },
    ...{ stale: 'stale', 'stale and running': 'stale', behind: 'behind', 'new and running': 'running' },
    ...{ paused: 'paused', new: 'never_synced', waiting: 'never_synced', ok: 'ok', unlimited: 'ok' },
    disabled: 'disabled',
  });
  const { attention, tables, tablesInTrouble } = await readOverview(control.pool, EVERYTHING);
  expect(attention.map(({ table }) => table)).toEqual([
    ...['crashed', 'changed', 'failing and running', 'stale and running', 'stale', 'behind', 'waiting'],
  ]);
  expect({ tables, tablesInTrouble }).toEqual({ tables: 12, tablesInTrouble: 7 });
  await control.rows(`INSERT INTO pauses (reason, made_by) VALUES ('the source moves', 'me')`);
  expect(new Set(Object.values(await states()))).toEqual(new Set(['crashed', 'paused', 'disabled']));
  expect(await readPauses(control.pool, 'crm')).toMatchObject([
    { pipeline: null, reason: 'the source moves' },
  ]);
  expect(await readRunning(control.pool, { visible: ['crm'], pipeline: null, limit: 5 })).toEqual([]);
});

test('the overview of 500 pipelines with 100 tables each reads two small results', async () => {
  await using control = await controlPlace();
  await emptyControl(control);
  await control.rows(`INSERT INTO pipelines (name, queue, jobs)
    SELECT 'pipeline' || n, 'pipeline/pipeline' || n, 1 FROM generate_series(1, 500) n`);
  await control.rows(`INSERT INTO tables (pipeline, table_name, state, last_success_at, behind_after)
    SELECT 'pipeline' || p, 'table' || t, CASE WHEN p <= 3 AND t = 1 THEN 'failing' ELSE 'ok' END, now(), 300
    FROM generate_series(1, 500) p, generate_series(1, 100) t`);
  let [statements, rows] = [0, 0];
  const counting: ControlSession = {
    query: async <Row extends object>(text: string, values?: readonly unknown[]) => {
      const result = await control.pool.query<Row>(text, [...(values ?? [])]);
      statements += 1;
      rows += result.rows.length;
      return result;
    },
  };
  const overview = await readOverview(counting, EVERYTHING);
  expect(overview).toMatchObject({ tables: 50_000, tablesInTrouble: 3, pipelines: 500 });
  expect(overview.pipelineRows).toHaveLength(50);
  expect(overview.pipelineRows.slice(0, 4).map(({ trouble }) => trouble)).toEqual([1, 1, 1, 0]);
  expect({ statements, rows }).toEqual({ statements: 1, rows: 1 });
});
