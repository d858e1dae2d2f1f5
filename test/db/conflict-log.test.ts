/** `conflict_log`: rows that the source and others have changed, recorded in the transaction of the merge. */
import { describe, expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { oppositeOf } from '../support/opposite.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { freshSeveral } from '../support/several.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const LOGGED = { ...ORDERS_CONFIG, conflict_log: true } as const;
const logged = (change: object = {}): PairOptions => ({
  ...ordersPreset,
  tables: [{ ...LOGGED, ...change }],
});

const log = async (pair: Pair, columns = 'key, columns, resolution') =>
  (
    await pair.destination.query<Record<string, unknown>>(
      `SELECT ${columns} FROM _increp_conflicts ORDER BY happened_at, key`,
    )
  ).rows;

const atSource = (pair: Pair, set: string, where = 'id = 1') =>
  pair.source.query(`UPDATE orders SET ${set}, updated_at = now() WHERE ${where}`);
const atDestination = (pair: Pair, set: string, where = 'id = 1') =>
  pair.destination.query(`UPDATE orders SET ${set} WHERE ${where}`);

const COUNTS = { source: 0, destination: 0, merged: 0 };

test('a conflict is a row that the source brings and that others changed, whatever its replication key', async () => {
  await using pair = await freshPair(logged());
  await sync(pair);
  await atSource(pair, `note = 'one'`, 'id <= 3');
  // Nobody has changed these rows at the destination.
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 3, conflicts: COUNTS });
  await atDestination(pair, `note = 'ours'`);
  await atDestination(pair, `note = 'ours', updated_at = now()`, 'id = 2');
  // No source row.
  await atDestination(pair, `note = 'ours'`, 'id = 9');
  await pair.destination.query(`INSERT INTO orders (id, note, updated_at) VALUES (11, 'ours', now())`);
  await pair.source.query(`INSERT INTO orders (id, note) VALUES (11, 'theirs')`);
  await atSource(pair, `note = 'two', total = NULL`, 'id <= 3');
  expect((await sync(pair)).table()).toMatchObject({ conflicts: { ...COUNTS, source: 3 } });
  const rows = await log(pair, 'key, columns, resolution, table_name, run_id');
  expect(rows).toHaveLength(3);
  expect(rows[0]).toMatchObject({
    key: { id: '1' },
    columns: {
      note: { source: 'two', destination: 'ours' },
      total: { source: null, destination: '1.25' },
      updated_at: expect.anything(),
    },
    ...{ resolution: 'source', table_name: 'orders', run_id: expect.any(String) },
  });
  expect(Object.keys(rows[0]?.['columns'] ?? {})).toHaveLength(3);
  expect(rows.map(({ key }) => key)).toEqual([{ id: '1' }, { id: '11' }, { id: '2' }]);
});

test('a conflict is recorded once, however often its rows are read', async () => {
  await using pair = await freshPair(logged({ lookback: '10000d', on_conflict: 'last_update_wins' }));
  await sync(pair);
  await atDestination(pair, `note = 'newer', updated_at = now() + interval '1 h'`);
  await atSource(pair, `note = 'older'`);
  expect((await sync(pair)).table()).toMatchObject({
    rows_newer: 1,
    conflicts: { ...COUNTS, destination: 1 },
  });
  for (let again = 0; again < 2; again += 1) {
    await pair.source.query('UPDATE orders SET note = note');
    await sync(pair, again === 0 ? '' : '--full-refresh');
  }
  expect(await log(pair, 'resolution')).toEqual([{ resolution: 'destination' }]);
  // The next version of the source is another conflict.
  await atSource(pair, `note = 'older still'`);
  await sync(pair);
  expect(await log(pair, 'resolution')).toEqual([
    { resolution: 'destination' },
    { resolution: 'destination' },
  ]);
});

slowTest('merged columns are recorded with both values', async () => {
  await using pair = await freshPair(logged({ merge: { total: 'source.total + destination.total' } }));
  await sync(pair);
  await atSource(pair, 'total = 1');
  await sync(pair);
  expect(await log(pair)).toEqual([]);
  await atDestination(pair, 'total = total + 1');
  await atSource(pair, 'total = 10');
  expect((await sync(pair)).table()).toMatchObject({ conflicts: { ...COUNTS, merged: 1 } });
  expect(await log(pair)).toMatchObject([
    {
      columns: { total: { source: '10.00', destination: '3.25' } },
      resolution: 'merged',
    },
  ]);
  await pair.source.query('UPDATE orders SET note = note');
  await sync(pair, '--full-refresh');
  expect(await log(pair, 'resolution')).toHaveLength(1);
});

describe('a load', () => {
  test.each(
    oneIn(4, [
      ['that merges', '--full-refresh', {}, ''],
      ['in chunks', '--full-refresh --verify', { initial_load: 'copy', chunk: '3 rows' }, ''],
      ['that replaces the table', '', {}, 'ALTER TABLE orders ALTER total TYPE text, ADD more int'],
      [
        'that alters the table',
        '',
        { on_schema_change: 'evolve' },
        'ALTER TABLE orders ADD more int DEFAULT 7',
      ],
    ]),
  )('%s records what it overwrites', async (_, args, options, before) => {
    await using pair = await freshPair(logged(options));
    await sync(pair);
    await atDestination(pair, `note = 'ours', updated_at = now() + interval '1 h'`, 'id <= 2');
    if (before !== '') await pair.source.query(before);
    await atSource(pair, `note = 'theirs'`, 'id <= 4');
    expect((await sync(pair, args)).table()).toMatchObject({ conflicts: { ...COUNTS, source: 2 } });
    expect(await log(pair, 'key')).toEqual([{ key: { id: '1' } }, { key: { id: '2' } }]);
    await atSource(pair, `note = 'more'`, 'id <= 4');
    expect((await sync(pair)).table()).toMatchObject({ conflicts: COUNTS });
  });
});

test('the counts are in the summary, history, status, the metrics and the webhook', async () => {
  await using pair = await freshPair(logged());
  const metrics = `${pair.directory}/increp.prom`;
  await pair.setEnv({ METRICS_TEXTFILE: metrics });
  await sync(pair);
  await atDestination(pair, `note = 'ours'`, 'id <= 2');
  await atSource(pair, `note = 'theirs'`, 'id <= 2');
  expect((await increp('sync', pair)).stdout).toContain('2 conflicts (2 source)');
  const history = (await increp('history --json', pair)).json<{ runs: { tables: object[] }[] }>();
  expect(history.runs.at(-1)?.tables[0]).toMatchObject({ conflicts: { ...COUNTS, source: 2 } });
  expect((await increp('history orders', pair)).stdout).toContain('2 conflicts (2 source)');
  const status = (await increp('status --json', pair)).json<{ tables: object[] }>();
  expect(status.tables[0]).toMatchObject({ conflicts_last_day: { ...COUNTS, source: 2 } });
  expect((await increp('status', pair)).stdout).toContain('2 conflicts (2 source) in the last 24 hours');
  const { readFile } = await import('node:fs/promises');
  expect(await readFile(metrics, 'utf8')).toMatch(/increp_conflicts_total\{.*resolution="source"\} 2/);
});

slowTest('records are kept as long as the settings say', async () => {
  await using pair = await freshPair(logged({ conflict_retention: '1h' }));
  await sync(pair);
  await atDestination(pair, `note = 'ours'`);
  await atSource(pair, `note = 'theirs'`);
  await sync(pair);
  await pair.destination.query(`UPDATE _increp_conflicts SET happened_at = now() - interval '2 h'`);
  await atSource(pair, `note = 'more'`);
  await sync(pair);
  expect(await log(pair)).toEqual([]);
});

describe('if others changed the table of the log', () => {
  test.each(
    oneIn(6, [
      [
        'REVOKE INSERT ON _increp_conflicts FROM ',
        'PRIVILEGE_MISSING',
        'permission denied',
        'GRANT INSERT ON _increp_conflicts TO ',
      ],
      [
        'ALTER TABLE _increp_conflicts DROP columns -- ',
        'CONFLICT_LOG',
        'column "columns" of relation',
        'ALTER TABLE _increp_conflicts RENAME TO old_conflicts -- ',
      ],
      [
        'ALTER TABLE _increp_conflicts ADD CHECK (false) NOT VALID -- ',
        'CONFLICT_LOG',
        'violates check constraint',
        'DROP TABLE _increp_conflicts -- ',
      ],
    ]),
  )(
    'by %s, the table fails with the fix, and the next sync brings its rows',
    async (change, code, said, fix) => {
      await using pair = await freshPair(logged());
      await sync(pair);
      const { rows: owners } = await pair.destination.query<{ user: string }>(
        `SELECT quote_ident(pg_get_userbyid(relowner)) AS user FROM pg_class WHERE relname = '_increp_conflicts'`,
      );
      const user = owners[0]?.user ?? '';
      const owned = `ALTER TABLE _increp_conflicts OWNER TO CURRENT_USER; GRANT ALL ON _increp_conflicts TO ${user};`;
      await pair.destination.query(`${owned} ${change}${user}`);
      await atDestination(pair, `note = 'ours'`);
      await atSource(pair, `note = 'theirs'`, 'id <= 2');
      const { error } = (await trySync(pair)).table();
      expect(error).toMatchObject({ code, message: expect.stringContaining(said) });
      expect(error?.message).toContain('"conflict_log" cannot write public._increp_conflicts');
      expect(
        (await pair.destination.query('SELECT note FROM orders WHERE id <= 2 ORDER BY id')).rows,
      ).toEqual([{ note: 'ours' }, { note: 'order 2' }]);
      // Only a write shows a constraint.
      if (!change.includes('CHECK')) expect((await increp('check', pair)).stdout).toContain(code);
      await pair.destination.query(`${fix}${user}`);
      expect((await sync(pair)).table()).toMatchObject({
        conflicts: { ...COUNTS, source: 1 },
        rows_updated: 2,
      });
      expect(await log(pair, 'key')).toEqual([{ key: { id: '1' } }]);
    },
  );
});

slowTest('check warns of many conflicts within an hour', async () => {
  await using pair = await freshPair(logged());
  await sync(pair);
  expect((await increp('check', pair)).stdout).not.toContain('conflicts');
  await pair.destination.query(`
    INSERT INTO _increp_conflicts (pipeline, table_name, key, columns, resolution, run_id, versions)
    SELECT pipeline, 'orders', '{}', '{}', 'source', 'x', i FROM _increp_state, generate_series(1, 101) i`);
  const { stdout } = await increp('check', pair);
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain('101 conflicts in the last hour');
});

slowTest('each of several destinations has a log of its own', async () => {
  await using pair = await freshSeveral(logged());
  await sync(pair);
  await pair.copy('two').pool.query(`UPDATE orders SET note = 'ours' WHERE id = 1`);
  await atSource(pair, `note = 'theirs'`);
  const { summary } = await sync(pair);
  expect(summary.tables.map(({ destination, conflicts }) => ({ destination, conflicts }))).toEqual([
    { destination: 'one', conflicts: COUNTS },
    { destination: 'two', conflicts: { ...COUNTS, source: 1 } },
  ]);
});

slowTest('two opposite pipelines record only real conflicts', { timeout: 60_000 }, async () => {
  const table = { ...LOGGED, on_conflict: 'last_update_wins', initial_load: 'copy' } as const;
  await using there = await freshPair({ ...ordersPreset, tables: [table] });
  await sync(there);
  await using back = await oppositeOf(there, table);
  await sync(back, 'orders --adopt --force');
  const settle = async () => {
    for (const pair of [there, back, there, back]) await sync(pair);
  };
  const both = async () => [await log(there, 'key, resolution'), await log(back, 'key, resolution')];
  // Each side changes a row, and then the other side changes the new version.
  await atSource(there, `note = 'there'`, 'id = 1');
  await atSource(back, `note = 'back'`, 'id = 2');
  await settle();
  await atSource(back, `note = 'back again'`, 'id = 1');
  await atSource(there, `note = 'there again'`, 'id = 2');
  await settle();
  expect(await both()).toEqual([[], []]);
  // Both sides change the same row.
  await atSource(there, `note = 'first'`, 'id = 3');
  await atSource(back, `note = 'second'`, 'id = 3');
  await settle();
  const [ofThere] = await both();
  expect(ofThere).toEqual([{ key: { id: '3' }, resolution: 'destination' }]);
  for (const pair of [there, back])
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 0 });
  const { rows } = await there.destination.query('SELECT note FROM orders WHERE id <= 3 ORDER BY id');
  expect(rows.map(({ note }: { note: string }) => note)).toEqual(['back again', 'there again', 'second']);
});
