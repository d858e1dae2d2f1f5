/** `indexes`: the indexes of the source are created at the destination after the rows, and kept in step. */
import { expect, test } from 'vitest';
import { increp, startIncrep } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { insertOrders, ordersPreset, ORDERS_CONFIG } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const copying = (sql: string, change: object = {}): PairOptions => ({
  tables: [{ ...ORDERS_CONFIG, initial_load: 'copy', indexes: 'copy', ...change }],
  sourceSql: `${ordersPreset.sourceSql}; ${sql}`,
});

/** The definitions of both sides are the same text then. */
const indexes = async (pool: Pair['source'], table = 'orders'): Promise<string[]> =>
  (
    await pool.query<{ definition: string }>(
      `SELECT indexdef AS definition FROM pg_indexes WHERE schemaname = current_schema() AND tablename = $1 ORDER BY indexname`,
      [table],
    )
  ).rows.map(({ definition }) => definition);

const expectSameIndexes = async (pair: Pair): Promise<void> =>
  expect(await indexes(pair.destination)).toEqual(await indexes(pair.source));

const names = async (pair: Pair): Promise<string[]> =>
  (
    await pair.destination.query<{ name: string }>(
      `SELECT indexname AS name FROM pg_indexes WHERE tablename = 'orders' ORDER BY 1`,
    )
  ).rows.map(({ name }) => name);

const created = (...objects: readonly string[]) =>
  objects.map((name) => ({ kind: 'index', name, change: 'created' }));

const MANY = `
  CREATE UNIQUE INDEX "by Total" ON orders (total DESC NULLS LAST, lower(note)) WHERE total > 1;
  CREATE INDEX by_hash ON orders USING hash (note);
  CREATE INDEX by_brin ON orders USING brin (updated_at) WITH (pages_per_range = 16);
  CREATE UNIQUE INDEX with_include ON orders (note, id) INCLUDE (total) WITH (fillfactor = 70);
  CREATE INDEX by_pattern ON orders (note COLLATE "C" text_pattern_ops);
  CREATE INDEX by_word ON orders USING gin (to_tsvector('simple', note));
  CREATE INDEX by_twins ON orders (id, id)`;

test('every kind of index arrives with the rows, once, and nothing is asked of it later', async () => {
  await using pair = await freshPair(copying(MANY));
  const { table } = await sync(pair);
  expect(table()).toMatchObject({
    rows_read: 10,
    warnings: [],
    objects: created(
      'by Total',
      'by_brin',
      'by_hash',
      'by_pattern',
      'by_twins',
      'by_word',
      'orders_updated_at_idx',
      'with_include',
    ),
  });
  await expectSameIndexes(pair);
  await insertOrders(pair, 3);
  expect((await sync(pair)).table()).not.toHaveProperty('objects');
  expect((await sync(pair)).table()).not.toHaveProperty('objects');
  await expectSameRows(pair, 'orders');
});

test('without the option, no index is copied', async () => {
  await using pair = await freshPair(copying(MANY, { indexes: 'ignore' }));
  expect((await sync(pair)).table()).not.toHaveProperty('objects');
  expect(await names(pair)).toEqual(['orders_pkey']);
});

test('a table without changes follows the indexes of the source: new, dropped and redefined', async () => {
  await using pair = await freshPair(
    copying('CREATE INDEX a ON orders (note); CREATE INDEX b ON orders (total)'),
  );
  await sync(pair);
  await sync(pair);
  await pair.source.query(
    `DROP INDEX a; DROP INDEX b; CREATE INDEX b ON orders (total, note); CREATE INDEX c ON orders (id, note)`,
  );
  await pair.destination.query('CREATE INDEX theirs ON orders (note, total)');
  const text = (await increp('sync', pair)).stdout;
  expect(text).toMatch(/created: index "c"/);
  expect(text).toMatch(/replaced: index "b"/);
  expect(text).toMatch(/dropped: index "a"/);
  expect(await names(pair)).toEqual(['b', 'c', 'orders_pkey', 'orders_updated_at_idx', 'theirs']);
  await pair.source.query('DROP INDEX b, c, orders_updated_at_idx');
  await sync(pair);
  expect(await names(pair)).toEqual(['orders_pkey', 'theirs']);
});

test('an index of users that does the same is enough, and is never dropped', async () => {
  await using pair = await freshPair(
    copying('CREATE INDEX mine ON orders (note, total)', { indexes: 'ignore' }),
  );
  await sync(pair);
  await pair.destination.query('CREATE INDEX theirs ON orders (note, total)');
  await pair.writeTables([{ ...ORDERS_CONFIG, indexes: 'copy' }]);
  expect((await sync(pair)).table()).toMatchObject({ objects: created('orders_updated_at_idx') });
  await pair.source.query('DROP INDEX mine');
  await sync(pair);
  expect(await names(pair)).toEqual(['orders_pkey', 'orders_updated_at_idx', 'theirs']);
});

test('an index that the destination refuses loses no row, and comes when its cause is gone', async () => {
  await using pair = await freshPair(
    copying(`CREATE FUNCTION short(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT left($1, 3)';
      CREATE INDEX by_short ON orders (short(note))`),
  );
  const { table } = await sync(pair);
  expect(table()).toMatchObject({ status: 'ok', rows_inserted: 10 });
  expect(table().warnings).toEqual([
    expect.stringMatching(
      /^the rows are complete, but index "by_short" was refused: .*function .*short\(text\) does not exist.* Statement: CREATE INDEX CONCURRENTLY "by_short" ON /,
    ),
  ]);
  await insertOrders(pair, 2);
  expect((await sync(pair)).table()).toMatchObject({
    status: 'ok',
    rows_inserted: 2,
    warnings: [expect.anything()],
  });
  await pair.destination.query(
    `CREATE FUNCTION short(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT left($1, 3)'`,
  );
  expect((await sync(pair)).table()).toMatchObject({ warnings: [], objects: created('by_short') });
  await expectSameIndexes(pair);
});

const oids = async (pair: Pair): Promise<readonly unknown[]> =>
  (
    await pair.destination.query(
      `SELECT indexrelid::regclass::text AS name, indexrelid FROM pg_index WHERE indrelid = 'orders'::regclass ORDER BY 1`,
    )
  ).rows;

test('a sync that objects of users refuse drops no copied index', async () => {
  await using pair = await freshPair(
    copying('CREATE INDEX by_note ON orders (note)', { on_schema_change: 'evolve' }),
  );
  await sync(pair);
  const before = await oids(pair);
  await pair.destination.query('ALTER TABLE orders ADD CONSTRAINT small CHECK (total < 1000)');
  await pair.source.query('UPDATE orders SET total = 2000, updated_at = now() WHERE id = 1');
  const violated = await trySync(pair);
  expect(violated.table()).toMatchObject({ status: 'failed', warnings: [] });
  expect(await oids(pair)).toEqual(before);
  await pair.destination.query(
    'ALTER TABLE orders DROP CONSTRAINT small; CREATE VIEW totals AS SELECT id, total FROM orders',
  );
  await pair.source.query('ALTER TABLE orders DROP COLUMN total');
  const refused = await trySync(pair);
  expect(refused.table()).toMatchObject({
    status: 'failed',
    warnings: [],
    error: { code: 'DEPENDENT_OBJECTS' },
  });
  expect(await oids(pair)).toEqual(before);
});

test('a copied index that was dropped for a sync comes back if the sync fails all the same', async () => {
  await using pair = await freshPair(copying('CREATE UNIQUE INDEX once ON orders (total)'));
  await sync(pair);
  await pair.destination.query(`INSERT INTO orders VALUES (99, 99.5, 'theirs', now());
    CREATE TABLE notes AS SELECT DISTINCT note FROM orders; ALTER TABLE notes ADD PRIMARY KEY (note);
    ALTER TABLE orders ADD FOREIGN KEY (note) REFERENCES notes`);
  await pair.source.query(
    `UPDATE orders SET total = 99.5, note = 'unknown', updated_at = now() WHERE id = 1`,
  );
  const failed = await trySync(pair);
  expect(failed.table()).toMatchObject({
    status: 'failed',
    warnings: [],
    error: { code: 'CONSTRAINT_VIOLATED', message: expect.stringMatching(/^foreign key/) as unknown },
  });
  expect(await names(pair)).toEqual(['once', 'orders_pkey', 'orders_updated_at_idx']);
});

slowTest(
  'duplicates at the destination: the unique index is tried again after an hour, or after a load',
  async () => {
    await using pair = await freshPair(copying('CREATE UNIQUE INDEX once ON orders (total)'));
    await sync(pair);
    await pair.source.query('DROP INDEX once; UPDATE orders SET total = 7, updated_at = now() WHERE id < 3');
    const released = await sync(pair);
    expect(released.table()).toMatchObject({ status: 'ok', rows_updated: 2 });
    expect(released.table().warnings).toEqual([
      expect.stringMatching(/^increp dropped index "once" at the destination, because it was in the way: /),
    ]);
    expect(await names(pair)).toEqual(['orders_pkey', 'orders_updated_at_idx']);
    await pair.destination.query(`INSERT INTO orders VALUES (99, 8.75, 'theirs', now())`);
    await pair.source.query(
      'UPDATE orders SET total = 70, updated_at = now() WHERE id = 1; CREATE UNIQUE INDEX once ON orders (total)',
    );
    const refused = expect.stringMatching(/index "once" was refused: .*duplicat/s) as unknown;
    expect((await sync(pair)).table()).toMatchObject({ status: 'ok', rows_updated: 1, warnings: [refused] });
    expect(await names(pair)).toEqual(['orders_pkey', 'orders_updated_at_idx']);
    await pair.destination.query('DELETE FROM orders WHERE id = 99');
    const held = await sync(pair);
    expect(held.table().warnings).toEqual([expect.stringMatching(/tries again an hour after the refusal/)]);
    expect((await sync(pair, '', { timing: { refusedObjectPause: 0 } })).table()).toMatchObject({
      objects: created('once'),
    });
    await expectSameIndexes(pair);
  },
);

const ENDINGS = [
  [
    'killed before it was complete',
    `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_total'::regclass`,
  ],
  ['killed before it had its name', ''],
] as const;

test.each(ENDINGS)('an index of a run that was %s is completed by the next run', async (_, invalid) => {
  await using pair = await freshPair(copying('CREATE INDEX by_total ON orders (total)'));
  await sync(pair);
  const comment = await pair.destination.query<{ mark: string }>(
    `SELECT obj_description('by_total'::regclass) AS mark`,
  );
  const hash = /[\da-f]{12}/.exec(comment.rows[0]?.mark ?? '')?.[0] ?? '';
  await pair.destination.query(
    `${invalid}; COMMENT ON INDEX by_total IS NULL; ALTER INDEX by_total RENAME TO orders_increp_new_${hash}`,
  );
  expect((await sync(pair)).table()).toMatchObject({ objects: created('by_total'), warnings: [] });
  await expectSameIndexes(pair);
});

const UNFIT =
  'CREATE INDEX by_note ON orders (lower(note)); CREATE INDEX plain ON orders (note, total); CREATE UNIQUE INDEX one ON orders (total)';

test.each(
  oneIn(2, [
    [
      { exclude_columns: ['note'] },
      ['one', 'orders_updated_at_idx'],
      /index "plain": the destination table has no column "note"/,
    ],
    [
      { transform: { note: 'upper(note)' } },
      ['one', 'orders_updated_at_idx'],
      /"transform" changes the values of "note"/,
    ],
    [
      { rename: { note: 'remark' } },
      ['one', 'orders_updated_at_idx', 'plain'],
      /"by_note": its expression or condition uses "note", which has another name there/,
    ],
    [
      { mode: 'incremental-append' },
      ['by_note', 'orders_updated_at_idx', 'plain'],
      /"orders_pkey": mode "incremental-append"/,
    ],
    [
      { metadata_columns: ['_source'] },
      ['by_note', 'orders_updated_at_idx', 'plain'],
      /"one": the table holds rows of several pipelines/,
    ],
  ] as const),
)('an index that does not fit the rows of the destination is left out: %j', async (change, arrive, why) => {
  await using pair = await freshPair(copying(UNFIT, change));
  expect((await sync(pair)).table()).toMatchObject({ objects: created(...arrive), warnings: [] });
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toMatch(why);
});

test('renamed columns: the index has their names, and the one of the unique key is not made twice', async () => {
  await using pair = await freshPair(
    copying('CREATE INDEX "a, b" ON orders (note DESC, "total") INCLUDE (id) WITH (fillfactor = 50)', {
      rename: { id: 'order id', note: 'total', total: 'note' },
    }),
  );
  await sync(pair);
  expect(await indexes(pair.destination)).toEqual([
    expect.stringMatching(
      /INDEX "a, b" ON .* USING btree \(total DESC, note\) INCLUDE \("order id"\) WITH \(fillfactor='50'\)/,
    ),
    expect.stringMatching(/INDEX orders_pkey ON .* USING btree \("order id"\)/),
    expect.stringMatching(/orders_updated_at_idx/),
  ]);
});

slowTest('user-defined types as text: only an expression or a condition keeps an index away', async () => {
  await using pair = await freshPair(
    copying(`CREATE TYPE mood AS ENUM ('good', 'bad'); ALTER TABLE orders ADD mood mood;
      CREATE INDEX by_mood ON orders (mood); CREATE INDEX good ON orders (id) WHERE mood = 'good'`),
  );
  expect((await sync(pair)).table()).toMatchObject({
    objects: created('by_mood', 'orders_updated_at_idx'),
    warnings: [],
  });
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toMatch(
    /index "good": its expression or condition uses "mood", which is .*mood at the source and text at the destination/,
  );
});

slowTest('names that are taken get a number, and a copied index makes room for a new table', async () => {
  await using pair = await freshPair({
    tables: [
      { ...ORDERS_CONFIG, indexes: 'copy', dest_name: 'copies' },
      { ...ORDERS_CONFIG, name: 'late', enabled: false, dest_name: 'by_note' },
    ],
    sourceSql: `${ordersPreset.sourceSql}; CREATE INDEX by_total ON orders (total); CREATE INDEX by_note ON orders (note);
      CREATE TABLE late (LIKE orders INCLUDING ALL)`,
    destinationSql: 'CREATE TABLE by_total (id int)',
  });
  await sync(pair);
  const { rows } = await pair.destination.query<{ name: string }>(
    `SELECT indexname AS name FROM pg_indexes WHERE tablename = 'copies' ORDER BY 1`,
  );
  expect(rows.map(({ name }) => name)).toEqual([
    'by_note',
    'by_total_1',
    'copies_pkey',
    'orders_updated_at_idx',
  ]);
  await pair.writeTables([
    { ...ORDERS_CONFIG, indexes: 'copy', dest_name: 'copies' },
    { ...ORDERS_CONFIG, name: 'late', dest_name: 'by_note' },
  ]);
  const { summary } = await sync(pair);
  expect(summary.tables.map(({ status }) => status)).toEqual(['ok', 'ok']);
});

slowTest.each(oneIn(2, ['reset', 'evolve']))(
  'a change of type at the source: %s, and the indexes follow',
  async (how) => {
    await using pair = await freshPair(
      copying(
        `CREATE INDEX by_note ON orders (note text_pattern_ops); CREATE INDEX by_total ON orders (total); CREATE INDEX two ON orders (total, note)`,
        {
          on_schema_change: how,
        },
      ),
    );
    await sync(pair);
    await pair.source
      .query(`DROP INDEX by_note; ALTER TABLE orders ALTER note TYPE int USING id, DROP COLUMN total, ADD more int DEFAULT 4;
    CREATE INDEX by_more ON orders (more, note)`);
    await sync(pair);
    await sync(pair);
    await expectSameIndexes(pair);
    await expectSameRows(pair, 'orders');
  },
);

slowTest('a partitioned source: the indexes of the whole table', async () => {
  await using pair = await freshPair({
    tables: [{ ...ORDERS_CONFIG, initial_load: 'copy', indexes: 'copy' }],
    sourceSql: `CREATE TABLE orders (id bigint PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now()) PARTITION BY RANGE (id);
      CREATE TABLE p1 PARTITION OF orders FOR VALUES FROM (0) TO (100); CREATE INDEX ON orders (lower(note)); CREATE INDEX own ON p1 (note);
      INSERT INTO orders SELECT i, i FROM generate_series(1, 20) i`,
  });
  expect((await sync(pair)).table()).toMatchObject({ objects: created('orders_lower_idx'), warnings: [] });
});

slowTest('several destinations and jobs: each gets its indexes', async () => {
  await using pair = await freshPair({
    tables: ['a', 'b', 'c'].map((name) => ({ ...ORDERS_CONFIG, name, indexes: 'copy' })),
    sourceSql: `${ordersPreset.sourceSql}; CREATE INDEX by_note ON orders (note);
      CREATE TABLE a (LIKE orders INCLUDING ALL); CREATE TABLE b (LIKE orders INCLUDING ALL); CREATE TABLE c (LIKE orders INCLUDING ALL)`,
  });
  const { summary } = await sync(pair, '--jobs 3');
  expect(summary.tables.map(({ objects }) => objects?.length)).toEqual([2, 2, 2]);
  for (const table of ['a', 'b', 'c'])
    expect(await indexes(pair.destination, table)).toEqual(await indexes(pair.source, table));
});

test('a query has no indexes: an entry that asks for them is refused, and a default is for tables', async () => {
  const query = {
    name: 'orders',
    replication_key: 'updated_at',
    unique_cols: ['id'],
    query: 'SELECT * FROM public.orders',
  };
  await using pair = await freshPair({ ...ordersPreset, tables: [{ ...query, indexes: 'copy' }] });
  const refused = await trySync(pair).catch((error: unknown) => String(error));
  expect(refused).toMatch(/a query has no indexes/);
  await pair.writeTables({ defaults: { indexes: 'copy' }, tables: [query] });
  expect((await sync(pair)).table()).toMatchObject({ status: 'ok', warnings: [] });
});

slowTest(
  'killed while the server builds an index: the rows are in, and the next run completes the index',
  async () => {
    await using pair = await freshPair(copying('CREATE INDEX by_total ON orders (total)'));
    const reader = await pair.destination.connect();
    try {
      // CREATE INDEX CONCURRENTLY waits for it.
      await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT');
      await using running = startIncrep('sync -v', pair);
      await running.waitForPhase('index');
      await expect.poll(async () => (await waitingBuilds(pair)).length, { timeout: 20_000 }).toBe(1);
      running.kill('SIGKILL');
      await running.wait();
      await expectSameRows(pair, 'orders');
      // The server notices that the client is gone.
      await expect.poll(() => waitingBuilds(pair), { timeout: 20_000 }).toEqual([]);
    } finally {
      await reader.query('COMMIT');
      reader.release();
    }
    expect((await sync(pair)).table()).toMatchObject({ warnings: [] });
    await expectSameIndexes(pair);
  },
);

const waitingBuilds = async (pair: Pair) =>
  (
    await pair.destination.query(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%'
         AND state = 'active' AND wait_event_type = 'Lock'`,
    )
  ).rows;

slowTest(
  'time limits of the role do not end a build, and another role gets a warning with the cause',
  async () => {
    await using pair = await freshPair({
      ...copying('CREATE INDEX by_total ON orders (total)'),
      isOwn: true,
    });
    const { user } = pair.login('destination', 'increp');
    await pair.destination.query(`ALTER ROLE "${user}" SET statement_timeout = '300ms'`);
    const reader = await pair.destination.connect();
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT');
    setTimeout(() => void reader.query('COMMIT').then(() => reader.release()), 1500);
    expect((await sync(pair)).table()).toMatchObject({ warnings: [] });
    await expectSameIndexes(pair);
    await pair.destination.query('ALTER TABLE orders OWNER TO CURRENT_USER');
    await pair.source.query('CREATE INDEX late ON orders (note)');
    await pair.destination.query(`GRANT ALL ON orders TO "${user}"`);
    expect((await sync(pair)).table()).toMatchObject({
      status: 'ok',
      warnings: [expect.stringMatching(/index "late" was refused: .*must be owner of table orders/)],
    });
  },
);
