/** `query`: a SELECT at the source that is copied as if it were a table. */
import { expect, test } from 'vitest';
import { goThrough } from '../support/chunked.ts';
import { copyOut } from '../support/copy-text.ts';
import { increp, startIncrep } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const SHOP = /* sql */ `
  CREATE TABLE orders (id bigint PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE lines (order_id bigint, nr int, price numeric(10,2), updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (order_id, nr));
  CREATE INDEX ON orders (updated_at); CREATE INDEX ON lines (updated_at);
  INSERT INTO orders SELECT i, 'order ' || i, now() - (100 - i) * interval '1 hour' FROM generate_series(1, 60) i;
  INSERT INTO lines SELECT i, n, i * 1.25 + n, now() - (100 - i) * interval '1 hour' FROM generate_series(1, 60) i, generate_series(1, 3) n`;

const TOTALS = /* sql */ `
  SELECT o.id, o.note AS "Note", sum(l.price) AS total, count(*) AS lines,
         greatest(o.updated_at, max(l.updated_at)) AS updated_at -- whichever is later
  FROM public.orders o JOIN public.lines l ON l.order_id = o.id GROUP BY o.id`;

const querying = (query: string, more: object = {}): PairOptions => ({
  tables: [{ name: 'totals', replication_key: 'updated_at', unique_cols: ['id'], query, ...more }],
  sourceSql: SHOP,
});

/** The copy holds what the query gives, byte for byte. */
async function expectCopyOf(pair: Pair, query: string, copy = 'public.totals'): Promise<void> {
  const [wanted, found] = await Promise.all([
    copyOut(pair.source, `COPY (SELECT * FROM (${query}\n) s ORDER BY 1) TO STDOUT`),
    copyOut(pair.destination, `COPY (SELECT * FROM ${copy} ORDER BY 1) TO STDOUT`),
  ]);
  expect(found.toString()).toBe(wanted.toString());
  expect(wanted.length).toBeGreaterThan(0);
}

const verdict = async (pair: Pair, args = '') =>
  (await increp(`verify --json ${args}`, pair)).json<{ tables: object[] }>().tables[0];

test('a query is loaded, followed, compared and repaired', async () => {
  await using pair = await freshPair(querying(`${TOTALS};\n`, { deletes: 'hard', deletes_every: '0s' }));
  expect((await sync(pair)).table()).toMatchObject({
    action: 'initial',
    loader: 'copy',
    rows_inserted: 60,
    warnings: [],
  });
  await expectCopyOf(pair, TOTALS);
  await pair.source
    .query(`UPDATE lines SET price = 99, updated_at = now() WHERE order_id IN (3, 4) AND nr = 1;
    UPDATE orders SET note = 'new', updated_at = now() WHERE id = 5;
    INSERT INTO orders VALUES (100); INSERT INTO lines VALUES (100, 1, 7); DELETE FROM lines WHERE order_id = 10`);
  expect((await sync(pair, '--verify')).table()).toMatchObject({
    action: 'incremental',
    rows_inserted: 1,
    rows_updated: 3,
    rows_deleted: 1,
  });
  await expectCopyOf(pair, TOTALS);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_updated: 0 });
  await pair.destination.query(`DELETE FROM totals WHERE id < 3; UPDATE totals SET total = 0 WHERE id = 20;
    INSERT INTO totals (id) VALUES (999)`);
  expect(await verdict(pair)).toMatchObject({ status: 'different', missing: 2, changed: 1, extra: 1 });
  await increp('verify --repair', pair);
  await expectCopyOf(pair, TOTALS);
  expect(await verdict(pair)).toMatchObject({ status: 'equal' });
});

test('a transaction over any of its tables that commits late brings its rows', async () => {
  await using pair = await freshPair(querying(TOTALS, { lookback: '0s' }));
  await sync(pair, '--wait-transactions 50ms');
  const late = await pair.source.connect();
  await late.query('BEGIN; SELECT now()');
  await pair.source.query(`UPDATE lines SET price = 1, updated_at = now() WHERE order_id = 50`);
  await sync(pair, '--wait-transactions 50ms');
  await late.query(`UPDATE lines SET price = 2, updated_at = now() WHERE order_id = 7; COMMIT`);
  late.release();
  expect((await sync(pair, '--wait-transactions 50ms')).table()).toMatchObject({ rows_updated: 1 });
  await expectCopyOf(pair, TOTALS);
});

const FORMS: readonly (readonly [title: string, query: string])[] = [
  [
    'WITH',
    'WITH newest AS (SELECT * FROM public.orders WHERE id > 30) SELECT id, updated_at FROM newest /* all */',
  ],
  ['VALUES', `SELECT * FROM (VALUES (1, '2026-01-01 00:00+00'::timestamptz), (2, NULL)) v(id, updated_at)`],
  ['TABLE', 'TABLE public.orders'],
  [
    'UNION',
    'SELECT id, updated_at FROM public.orders WHERE id < 5 UNION ALL SELECT order_id, updated_at FROM public.lines WHERE nr = 1 AND order_id > 40',
  ],
  ['LIMIT', 'SELECT * FROM public.orders ORDER BY id LIMIT 7'],
  ['a view', 'SELECT * FROM public.recent'],
];

slowTest('every form of a SELECT, whatever the label is called like', async () => {
  const tables = FORMS.map(([title, query], index) => ({
    // The first one is called like a table of the source, which it has nothing to do with.
    name: index === 0 ? 'lines' : `a ${title} "query"`,
    dest_name: `copy_${index}`,
    replication_key: 'updated_at',
    unique_cols: ['id'],
    null_keys: 'include',
    query,
  }));
  await using pair = await freshPair({
    tables,
    sourceSql: `${SHOP}; CREATE VIEW recent AS SELECT id, updated_at FROM orders WHERE id > 50`,
  });
  await sync(pair);
  await sync(pair);
  for (const [index, [, query]] of FORMS.entries()) await expectCopyOf(pair, query, `public.copy_${index}`);
  expect((await increp('verify', pair)).exitCode).toBe(0);
});

test.each(
  oneIn(2, [
    ['SELECT 1 AS id, now() AS updated_at, 2 AS id', /several columns have the name "id"/],
    ['SELECT 1, now() AS updated_at', /column 1 has no name/],
    ['SELECT id, updated_at, xmin FROM public.orders', /"xmin" is the name of a system column/],
    ['SELECT id, updated_at, o FROM public.orders o', /./],
    ['SELECT id FROM public.orders', /the query of "totals" has no column "updated_at" \(replication_key\)/],
    ['SELECT id, updated_at FROM orders', /relation "orders" does not exist/],
    ['SELECT id,\n  updatet_at FROM public.orders', /2 \| {3}updatet_at FROM public.or\n {10}\^/],
    ['UPDATE public.orders SET id = 1 RETURNING id', /syntax error|SET/],
    ['WITH w AS (DELETE FROM public.orders RETURNING *) SELECT * FROM w', /data-modifying statement/],
    ['SELECT * FROM public.orders FOR UPDATE', /read-only transaction/],
    ['SELECT id, updated_at INTO TEMP x FROM public.orders', /INTO/],
  ] as const),
)('%s', async (query, what) => {
  await using pair = await freshPair(querying(query));
  const { error } = (await trySync(pair)).table();
  if (query.includes(', o FROM')) expect(error).toBeNull();
  else expect(error?.message).toMatch(what);
  const { rowCount } = await pair.source.query('SELECT FROM orders');
  expect(rowCount).toBe(60);
});

slowTest(
  'of rows that share a key the newest is kept, which check says beforehand, with what a sync costs',
  async () => {
    const query = 'SELECT order_id AS id, price, updated_at FROM public.lines';
    await using pair = await freshPair(querying(query));
    const { stdout } = await increp('check', pair);
    expect(stdout).toContain('[MERGE_KEY_NOT_ENFORCED]');
    expect(stdout).toMatch(/the planner estimates a cost of \d+ for the query of each sync.*\[QUERY_COST\]/s);
    const plan = (await increp('plan', pair)).stdout;
    expect(plan).toContain(`    selects: the query ${query}`);
    await pair.source.query('UPDATE lines SET updated_at = now() WHERE nr = 2');
    expect((await sync(pair)).table()).toMatchObject({
      rows_inserted: 60,
      warnings: [expect.stringContaining('120 rows with the same key as a newer row were left out')],
    });
    await expectCopyOf(pair, `${query} WHERE nr = 2`);
  },
);

slowTest('what changes below a query makes a new copy where it changes the query', async () => {
  await using pair = await freshPair(querying('SELECT * FROM public.orders'));
  await sync(pair);
  await pair.source.query('ALTER TABLE orders ADD extra int DEFAULT 3; CREATE TABLE other (id int)');
  expect((await sync(pair)).table().reason).toBe('column "extra" (integer) was added at the source');
  await pair.source.query('DROP TABLE lines');
  expect((await sync(pair)).table().action).toBe('incremental');
  await expectCopyOf(pair, 'SELECT * FROM public.orders');
});

slowTest('another query, or a table in its place, makes a new copy', async () => {
  await using pair = await freshPair(querying('SELECT * FROM public.orders'));
  await sync(pair);
  await pair.writeTables([
    { ...querying('SELECT id, updated_at FROM public.orders').tables?.[0], name: 'totals' },
  ]);
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', reason: 'query changed' });
  await pair.writeTables([{ name: 'totals', replication_key: 'updated_at', unique_cols: ['id'] }]);
  expect((await trySync(pair)).table().error).toMatchObject({ code: 'TABLE_NOT_FOUND' });
  await pair.source.query('CREATE TABLE totals AS SELECT * FROM orders; GRANT SELECT ON totals TO PUBLIC');
  expect((await sync(pair)).table().reason).toBe(
    'the entry now selects a table, and selected a query before',
  );
});

test.each(
  oneIn(4, [
    [
      'written anew',
      'ALTER TABLE orders ALTER note TYPE varchar(100)',
      'SELECT id, updated_at FROM public.orders',
    ],
    [
      'emptied and filled',
      'BEGIN; CREATE TEMP TABLE kept AS TABLE orders; TRUNCATE orders; INSERT INTO orders TABLE kept; COMMIT',
      'SELECT id, updated_at FROM public.orders',
    ],
    [
      'made again',
      'ALTER TABLE orders RENAME TO old; CREATE TABLE orders AS TABLE old; GRANT SELECT ON orders TO PUBLIC',
      'SELECT id, updated_at FROM public.orders',
    ],
    ['given another column', 'ALTER TABLE orders ADD extra int', 'SELECT * FROM public.orders'],
  ] as const),
)(
  'a table below it that is %s while its snapshot is open: nothing is lost',
  async (_what, alteration, query) => {
    await using pair = await freshPair(querying(query));
    await using proxy = await faultProxy(pair.login('source'));
    await goThrough(pair, 'source', proxy);
    proxy.when({ from: 'client', seen: 'AS described LIMIT 0', after: 'REPEATABLE READ', fault: 'stall' });
    await using running = startIncrep('sync --json', pair);
    await proxy.waitUntilFired();
    await pair.source.query(alteration);
    await proxy.resume();
    const result = await running.wait();
    expect(result.stderr).toContain('SCHEMA_CHANGED');
    expect(result.exitCode).toBe(0);
    await expectCopyOf(pair, query);
  },
);

test('a column that the source renamed has its new name in the error, and no guess of the server', async () => {
  const query = `SELECT o.id, o.note, o.updated_at, c.note AS other FROM public.orders o JOIN public.lines l
    ON l.order_id = o.id AND l.nr = 1 JOIN public.other c ON c.id = o.id`;
  const options = querying(query);
  await using pair = await freshPair({
    tables: [
      { name: 'orders', replication_key: 'updated_at', unique_cols: ['id'] },
      ...(options.tables ?? []),
    ],
    sourceSql: `${SHOP}; CREATE TABLE other AS SELECT id, note FROM orders`,
  });
  await sync(pair);
  await pair.source.query('ALTER TABLE orders RENAME COLUMN note TO remark');
  const hint = async (args = '') => (await trySync(pair, args)).table('totals').error?.hint;
  expect(await hint('totals')).toMatch(
    /^The last sync could read the query, .* Correct "query" of "totals"[^"]*$/,
  );
  expect(await hint()).toMatch(/^The source renamed "note" of public.orders to "remark"\. .*AS "note"/);
});

test('rows that are hidden from the role are an error, never a short copy', async () => {
  await using pair = await freshPair(querying('SELECT id, updated_at FROM public.orders'));
  await pair.source.query(
    `ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON orders USING (id < 3)`,
  );
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'ROW_SECURITY',
    message: expect.stringContaining('row-level security') as string,
    hint: expect.stringContaining('create a view of the rows') as string,
  });
});
