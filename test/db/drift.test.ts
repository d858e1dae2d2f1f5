/** The source table changes shape: it is noticed, told, and the copy is a copy again. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import type { Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

/** By COPY, because two processes a table take their time. */
const config = (name: string) => ({
  name,
  replication_key: 'changed',
  unique_cols: ['id'],
  initial_load: 'copy',
});
const CONFIG = config('t');

/** A table with types of its own, so that many of them can change in one pair of databases. */
const sqlOf = (name: string) => `
  CREATE TYPE ${name}_mood AS ENUM ('sad', 'ok'); CREATE TYPE ${name}_pair AS (a int, b text);
  CREATE DOMAIN ${name}_cents AS numeric(8,2); CREATE TYPE ${name}_tone AS ENUM ('low', 'high');
  CREATE TYPE ${name}_song AS (n int, tone ${name}_tone);
  CREATE TABLE ${name} (id int PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now(), n int,
    word varchar(20) NOT NULL, price numeric(8,2), m ${name}_mood, p ${name}_pair, c ${name}_cents, twice int, label text,
    songs ${name}_song[]);
  INSERT INTO ${name} SELECT i, '2026-01-01', i, 'w' || i, i / 3.0, 'sad', ROW(i, 'x')::${name}_pair, 1, 2, 'l',
    ARRAY[ROW(1, 'low')]::${name}_song[]
    FROM generate_series(1, 9) i;`;
const SQL = sqlOf('t');

interface PlanJson {
  readonly tables: readonly { readonly action: string; readonly reason: string; readonly error: unknown }[];
}

const planOf = async (pair: Pair) => (await increp('plan --json', pair)).json<PlanJson>().tables[0];

/** What happens to a table, the statement, and the sentence that tells it. */
const CHANGES: readonly (readonly [what: string, statement: string, sentence: string])[] = [
  [
    'a column is added',
    'ALTER TABLE t ADD COLUMN more int',
    'column "more" (integer) was added at the source',
  ],
  [
    'a column is added with a default',
    `ALTER TABLE t ADD COLUMN more text DEFAULT 'x'`,
    'column "more" (text) was added at the source',
  ],
  [
    'a column is added with a changing default',
    'ALTER TABLE t ADD COLUMN more uuid NOT NULL DEFAULT gen_random_uuid()',
    'column "more" (uuid) was added at the source',
  ],
  ['a column is dropped', 'ALTER TABLE t DROP COLUMN label', 'column "label" was dropped at the source'],
  [
    'a column is renamed',
    'ALTER TABLE t RENAME COLUMN label TO lbl',
    'column "label" was dropped at the source; column "lbl" (text) was added at the source',
  ],
  [
    'a column is widened',
    'ALTER TABLE t ALTER n TYPE bigint',
    'column "n" changed type from integer to bigint at the source',
  ],
  [
    'a column is narrowed',
    'ALTER TABLE t ALTER n TYPE smallint',
    'column "n" changed type from integer to smallint at the source',
  ],
  [
    'a column becomes text',
    'ALTER TABLE t ALTER n TYPE text',
    'column "n" changed type from integer to text at the source',
  ],
  [
    'a length is changed',
    'ALTER TABLE t ALTER word TYPE varchar(30)',
    'column "word" changed type from character varying(20) to character varying(30) at the source',
  ],
  [
    'a length is lifted',
    'ALTER TABLE t ALTER word TYPE text',
    'column "word" changed type from character varying(20) to text at the source',
  ],
  [
    'a scale is changed',
    'ALTER TABLE t ALTER price TYPE numeric(9,3)',
    'column "price" changed type from numeric(8,2) to numeric(9,3) at the source',
  ],
  [
    'NOT NULL is dropped',
    'ALTER TABLE t ALTER word DROP NOT NULL',
    'column "word" changed nullability from NOT NULL to nullable at the source',
  ],
  [
    'NOT NULL is set',
    'ALTER TABLE t ALTER n SET NOT NULL',
    'column "n" changed nullability from nullable to NOT NULL at the source',
  ],
  [
    'a collation is changed',
    'ALTER TABLE t ALTER label TYPE text COLLATE "C"',
    'column "label" changed collation from the default to pg_catalog."C" at the source',
  ],
  [
    'an identity is added',
    'ALTER TABLE t ALTER id ADD GENERATED ALWAYS AS IDENTITY',
    'column "id" changed identity from no identity to GENERATED ALWAYS identity at the source',
  ],
  [
    'a column is dropped and added again',
    'ALTER TABLE t DROP COLUMN label, ADD COLUMN label text',
    'column "label" was dropped and added again at the source',
  ],
  [
    'two columns go and one comes back with another type',
    'ALTER TABLE t DROP COLUMN label, DROP COLUMN n, ADD COLUMN n date',
    'column "label" was dropped at the source; column "n" changed type from integer to date at the source',
  ],
  [
    'a column becomes generated',
    'ALTER TABLE t DROP COLUMN twice, ADD COLUMN twice int GENERATED ALWAYS AS (id * 2) STORED',
    'column "twice" changed generation from an ordinary column to a stored generated column at the source',
  ],

  [
    'an enum label is renamed',
    `ALTER TYPE t_mood RENAME VALUE 'sad' TO 'blue'`,
    `type public.t_mood of column "m" no longer has the label 'sad'`,
  ],
  [
    'a composite type loses a field',
    'ALTER TYPE t_pair DROP ATTRIBUTE b',
    'type public.t_pair of column "p" no longer has the field b text',
  ],
  [
    'a composite type gets a field',
    'ALTER TYPE t_pair ADD ATTRIBUTE c int',
    'type public.t_pair of column "p" has other fields than before',
  ],
  [
    'a type is renamed',
    'ALTER TYPE t_mood RENAME TO t_feeling',
    'column "m" changed type from public.t_mood to public.t_feeling at the source',
  ],
  [
    'a label of an enum within a composite type is renamed',
    `ALTER TYPE t_tone RENAME VALUE 'low' TO 'deep'`,
    `type public.t_song[] of column "songs" no longer has the label 'low' of public.t_tone`,
  ],
];

/** After these no old row prints otherwise, so nothing has to be loaded again. */
const HARMLESS: readonly (readonly [what: string, statement: string])[] = [
  ['a label is added deep within a type', `ALTER TYPE t_tone ADD VALUE 'mid'`],
  ['an enum label is added', `ALTER TYPE t_mood ADD VALUE 'glad' BEFORE 'sad'`],
  ['a domain gets another constraint', 'ALTER DOMAIN t_cents ADD CHECK (VALUE > 0)'],
  ['a default is changed', `ALTER TABLE t ALTER label SET DEFAULT 'z'`],
  ['an index is added', 'CREATE INDEX ON t (label)'],
  ['a comment is written', `COMMENT ON TABLE t IS 'words'`],
];

/** The same for table number `place`. */
const at = (place: number, text: string) =>
  text
    .replaceAll('TABLE t', `TABLE t${place}`)
    .replaceAll('ON t ', `ON t${place} `)
    .replaceAll('t_', `t${place}_`);

test('every change of shape is told in one sentence, and the copy is a copy again', async () => {
  const changes = oneIn(3, CHANGES);
  const names = changes.map((_change, place) => `t${place}`);
  await using pair = await freshPair({ tables: names.map(config), sourceSql: names.map(sqlOf).join('') });
  await sync(pair);
  for (const [place, [, statement]] of changes.entries()) await pair.source.query(at(place, statement));
  const plan = (await increp('plan --json', pair)).json<PlanJson>().tables;
  const result = await sync(pair);
  for (const [place, [what, , sentence]] of changes.entries()) {
    const expected = { action: 'reset', reason: at(place, sentence) };
    expect(plan[place], what).toMatchObject(expected);
    expect(result.table(`t${place}`), what).toMatchObject(expected);
    await expectSameRows(pair, `t${place}`);
  }
  const next = await sync(pair);
  expect(next.summary.tables.map(({ action }) => action)).toEqual(names.map(() => 'incremental'));
  for (const name of names) await expectSameRows(pair, name);
});

slowTest('what changes no old row loads nothing again', async () => {
  const names = HARMLESS.map((_change, place) => `t${place}`);
  await using pair = await freshPair({ tables: names.map(config), sourceSql: names.map(sqlOf).join('') });
  await sync(pair);
  for (const [place, [, statement]] of HARMLESS.entries()) await pair.source.query(at(place, statement));
  for (const name of names) await pair.source.query(`INSERT INTO ${name} (id, word, c) VALUES (70, 'w', 5)`);
  const result = await sync(pair);
  for (const [place, [what]] of HARMLESS.entries()) {
    expect(result.table(`t${place}`), what).toMatchObject({ action: 'incremental', rows_inserted: 1 });
    await expectSameRows(pair, `t${place}`);
  }
});

test('a table that was dropped and created again is loaded again, rows that are gone included', async () => {
  await using pair = await freshPair({ tables: [CONFIG], sourceSql: SQL });
  await sync(pair);
  await pair.source
    .query(`CREATE TABLE other (LIKE t INCLUDING ALL); INSERT INTO other SELECT * FROM t WHERE id > 3;
    DROP TABLE t; ALTER TABLE other RENAME TO t; GRANT SELECT ON t TO PUBLIC`);
  const reason = 'the table was dropped and created again at the source, for example by a restore';
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', reason, rows_deleted: 3 });
  await expectSameRows(pair, 't');
});

test('the order of columns at the destination does not matter', async () => {
  await using pair = await freshPair({ tables: [CONFIG], sourceSql: SQL });
  await sync(pair);
  await pair.destination.query(
    `ALTER TABLE t RENAME n TO old; ALTER TABLE t ADD n int; UPDATE t SET n = old; ALTER TABLE t DROP old`,
  );
  await pair.source.query(`UPDATE t SET n = 100, changed = now() WHERE id = 1`);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_updated: 1 });
  await expectSameRows(pair, 't');
});

test.each(
  oneIn(3, [
    [
      'a column is missing',
      'ALTER TABLE t DROP COLUMN label',
      'column "label" is missing at the destination',
    ],
    [
      'a type is another',
      'ALTER TABLE t ALTER n TYPE text',
      'column "n" is text at the destination and must be integer',
    ],
    [
      'a column forbids NULL',
      `ALTER TABLE t ALTER label SET NOT NULL`,
      'column "label" is NOT NULL at the destination but not at the source',
    ],
  ] as const),
)('when at the destination %s, the table is loaded again', async (_what, statement, sentence) => {
  await using pair = await freshPair({ tables: [CONFIG], sourceSql: SQL });
  await sync(pair);
  await pair.destination.query(statement);
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', reason: sentence });
  await expectSameRows(pair, 't');
});

slowTest('on_schema_change "fail" refuses, says why, and changes nothing', async () => {
  await using pair = await freshPair({ tables: [{ ...CONFIG, on_schema_change: 'fail' }], sourceSql: SQL });
  await sync(pair);
  const state = async () =>
    (
      await pair.destination.query(`SELECT (SELECT json_agg(t ORDER BY id) FROM t) AS rows,
      (SELECT json_agg(s) FROM _increp_state s) AS state, 't'::regclass::oid AS oid`)
    ).rows[0] as unknown;
  const before = await state();
  await pair.source.query(`ALTER TABLE t ADD COLUMN more int; UPDATE t SET n = 0, changed = now()`);
  const result = await trySync(pair);
  expect(result.exitCode).toBe(1);
  expect(result.table()).toMatchObject({ status: 'failed', error: { code: 'SCHEMA_CHANGE_REFUSED' } });
  expect(result.table().error?.message).toContain('column "more" (integer) was added at the source');
  expect(result.table().error?.hint).toContain('increp reset t');
  expect((await planOf(pair))?.action).toBe('refused');
  expect(await state()).toEqual(before);
  expect((await increp('reset t', pair)).exitCode).toBe(0);
  await sync(pair);
  await expectSameRows(pair, 't');
});

test('a replication key or merge key that is changed in the config is a reset', async () => {
  await using pair = await freshPair({ tables: [CONFIG], sourceSql: SQL });
  await sync(pair);
  await pair.writeTables([{ ...CONFIG, replication_key: 'n', unique_cols: ['id', 'word'] }]);
  const reason = 'replication_key changed from "changed" to "n"; unique_cols changed from [id] to [id, word]';
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', reason });
  await expectSameRows(pair, 't');
  expect((await sync(pair)).table().action).toBe('incremental');
});

slowTest(
  'a destination with neither the table nor its state may be another database, which is said',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    await pair.destination.query('DROP TABLE orders, _increp_state');
    const { stdout } = await increp('plan', pair);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      'both were dropped, or DEST_URL or DEST_DB names another database',
    );
    expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: 10 });
  },
);

/** As if an older version of increp had written the state. */
const forgetOids = (pair: Pair) =>
  pair.destination.query(`UPDATE _increp_state SET record = record - 'writtenTo'`);

test('a destination table that was renamed is named, and continues when it is renamed back', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('CREATE TABLE orders_copy AS TABLE orders');
  await pair.destination.query('ALTER TABLE orders RENAME TO "Former"');
  const stdout = (await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ');
  expect(stdout).toContain('the destination table was renamed to public.Former');
  const [statement = ''] = /ALTER TABLE "public"."Former" RENAME TO "orders";/.exec(stdout) ?? [];
  await pair.destination.query(statement);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
  await pair.destination.query('ALTER TABLE orders RENAME TO "Former"');
  const status = (await increp('status', pair)).stdout.replaceAll(/\s+/g, ' ');
  expect(status).toContain('run: ALTER TABLE "public"."Former" RENAME TO "orders"');
  expect((await sync(pair)).table()).toMatchObject({
    action: 'initial',
    reason: 'the destination table was renamed to public.Former',
  });
});

test('a table that may hold rows of its own under another name is not loaded again', async () => {
  await using pair = await freshPair({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, deletes: 'keep' }] });
  await sync(pair);
  await pair.source.query('DELETE FROM orders WHERE id = 1');
  await pair.destination.query(
    'CREATE TABLE former (LIKE orders INCLUDING ALL); ALTER TABLE orders RENAME TO kept',
  );
  expect((await trySync(pair)).table().error).toMatchObject({
    message: expect.stringContaining('was renamed to public.kept, and increp cannot load it again'),
    hint: expect.stringMatching(/^To keep public\.kept, rename it back[^]*\nOr load [^]*--full-refresh"\.$/),
  });
  await forgetOids(pair);
  const another = (await trySync(pair)).table().error;
  expect(another?.message).toContain('was dropped, or renamed to public.kept, with the same');
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(`ALTER TABLE former OWNER TO "${user}"`);
  const refused = (await trySync(pair)).table().error;
  expect(refused).toMatchObject({
    code: 'SCHEMA_CHANGE_REFUSED',
    message: expect.stringContaining(
      'was dropped, or renamed to public.former or public.kept, with the same',
    ),
    hint: expect.stringMatching(
      /has: "increp sync orders --full-refresh"\.\nIf .* rename it back to public\.orders /,
    ),
  });
  await pair.destination.query('ALTER TABLE kept RENAME TO orders');
  expect((await increp('verify', pair)).stdout).toMatch(
    /the cause no longer applies, so the next sync continues/,
  );
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
  await pair.destination.query('DROP TABLE orders');
  expect((await sync(pair, '--full-refresh')).table()).toMatchObject({ rows_inserted: 9 });
  await pair.destination.query('DROP TABLE orders, former');
  expect((await sync(pair)).table()).toMatchObject({ action: 'initial', rows_inserted: 9 });
});

test('another table with the name of the destination table is compared, whole restored schemas are not', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('CREATE TABLE older (LIKE orders INCLUDING ALL)');
  await pair.destination.query('INSERT INTO older SELECT * FROM orders WHERE id > 5');
  await pair.source.query(`UPDATE orders SET note = 'new', updated_at = now() WHERE id = 1`);
  await sync(pair);
  const owner = pair.login('destination', 'increp').user;
  await pair.destination.query(
    `DROP TABLE orders; ALTER TABLE older RENAME TO orders; ALTER TABLE orders OWNER TO ${owner}`,
  );
  const said = /destination table is not the one of the last sync, so its rows are compared/;
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toMatch(said);
  expect((await increp('status', pair)).stdout.replaceAll(/\s+/g, ' ')).toMatch(said);
  const { stderr, stdout } = await increp('sync -q', pair);
  expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toContain(
    'another table has the name of the destination',
  );
  await expectSameRows(pair, 'orders');
  expect((await sync(pair)).table()).toMatchObject({ rows_read: 0 });
  await pair.destination.query(`
    CREATE TABLE restored (LIKE orders INCLUDING ALL); INSERT INTO restored SELECT * FROM orders; DROP TABLE orders;
    ALTER TABLE restored RENAME TO orders;
    CREATE TABLE restored (LIKE _increp_state INCLUDING ALL); INSERT INTO restored SELECT * FROM _increp_state;
    DROP TABLE _increp_state; ALTER TABLE restored RENAME TO _increp_state;
    ALTER TABLE orders OWNER TO ${owner}; ALTER TABLE _increp_state OWNER TO ${owner}`);
  expect((await sync(pair)).table()).not.toHaveProperty('rows_compared');
});

test('a table with other types is no former table, and one that may be either of two is not renamed', async () => {
  const kept = { ...ORDERS_CONFIG, deletes: 'keep' } as const;
  await using pair = await freshPair({
    tables: [kept, { ...kept, name: 'items' }],
    sourceSql: `${ORDERS_SQL}; CREATE TABLE items (LIKE orders INCLUDING ALL)`,
  });
  await sync(pair);
  await pair.destination.query(`ALTER TABLE orders RENAME TO former; DROP TABLE items`);
  await forgetOids(pair);
  const { tables } = (await trySync(pair)).summary;
  expect(tables.map(({ error }) => error?.hint)).toEqual([
    expect.stringMatching(/back to public\.orders before .* also be the former public\.items\. Then/),
    expect.stringMatching(/back to public\.items before .* also be the former public\.orders\. Then/),
  ]);
  await pair.destination.query('ALTER TABLE former ALTER id TYPE numeric');
  expect((await sync(pair)).summary.tables.map(({ action }) => action)).toEqual(['initial', 'initial']);
});

test('of two tables that are alike, the renamed one is known, and the other one was dropped', async () => {
  const kept = { ...ORDERS_CONFIG, deletes: 'keep' } as const;
  await using pair = await freshPair({
    tables: [kept, { ...kept, name: 'items' }],
    sourceSql: `${ORDERS_SQL}; CREATE TABLE items (LIKE orders INCLUDING ALL)`,
  });
  await sync(pair);
  await pair.destination.query(
    `ALTER TABLE orders RENAME TO former; ALTER TABLE former ALTER id TYPE numeric; DROP TABLE items`,
  );
  const { tables } = (await trySync(pair)).summary;
  expect(tables.map(({ error, action }) => error?.hint ?? action)).toEqual([
    expect.stringContaining('ALTER TABLE "public"."former" RENAME TO "orders"'),
    'initial',
  ]);
});

test('dependent objects that refused a sync are no obstacle after "rename"', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('CREATE VIEW notes AS SELECT note FROM orders');
  await pair.source.query('ALTER TABLE orders RENAME note TO remark');
  expect((await trySync(pair)).table().error?.code).toBe('DEPENDENT_OBJECTS');
  expect((await increp('plan', pair)).stdout).toContain('DROP VIEW');
  await pair.writeTables([{ ...ORDERS_CONFIG, rename: { remark: 'note' } }]);
  for (const command of ['plan', 'status', 'verify', 'check']) {
    const { stdout } = await increp(command, pair);
    expect(stdout, command).toContain('the cause no longer applies, so the next sync continues');
    expect(stdout, command).not.toContain('DROP VIEW');
  }
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
});

test('a column that was renamed at the destination: sync refuses what plan refuses, and continues after the rename back', async () => {
  await using pair = await freshPair({ ...ordersPreset, tables: [{ ...ORDERS_CONFIG, deletes: 'keep' }] });
  await sync(pair);
  await pair.destination.query('ALTER TABLE orders RENAME note TO remark');
  const stdout = (await increp('plan', pair)).stdout;
  const [statement = ''] = /ALTER TABLE .*;/.exec(stdout) ?? [];
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'SCHEMA_CHANGE_REFUSED',
    hint: expect.stringContaining(statement),
  });
  await pair.destination.query(statement);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
});

test('a NOT NULL column of a user without a default is named before the sync, and by its error', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('ALTER TABLE orders ADD own int NOT NULL DEFAULT 1');
  expect((await increp('check', pair)).stdout).not.toContain('DESTINATION_CONSTRAINT');
  await pair.destination.query('ALTER TABLE orders ALTER own DROP DEFAULT');
  const what = 'column "own" of public.orders at the destination is NOT NULL without a default';
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toContain(what);
  const stdout = (await increp('check', pair)).stdout;
  expect(stdout).toContain('DESTINATION_CONSTRAINT');
  await pair.source.query(`INSERT INTO orders (id, updated_at) VALUES (99, now())`);
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'CONSTRAINT_VIOLATED',
    message: expect.stringContaining(what),
  });
  await pair.destination.query(/ALTER TABLE .* DROP NOT NULL;/.exec(stdout)?.[0] ?? '');
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 1 });
});

test('a table that is gone after a sync is no typing error: at the source, and at the destination', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('DROP TABLE orders');
  expect((await sync(pair)).table()).toMatchObject({
    action: 'initial',
    reason: 'the destination table was dropped',
    rows_inserted: 10,
  });
  await pair.source.query('CREATE TABLE ordersx (id int); DROP TABLE orders');
  const { error } = (await trySync(pair)).table();
  expect(error).toMatchObject({ code: 'TABLE_NOT_FOUND' });
  expect(error?.message).toMatch(
    /^the source no longer has public\.orders, whose last changes increp copied at 20\S+Z; its destination table public\.orders is kept$/,
  );
  expect(error?.hint).toMatch(
    /^If the table was dropped, remove "orders" from tables-config\.json\. If it was renamed/,
  );
  // A reset does not turn it into a typing error.
  const reset = await increp('reset orders', pair);
  expect(reset.stdout).toMatch(/^orders: reset\. The source no longer has a table of this name/);
  const after = (await trySync(pair)).table().error;
  expect(after?.message).toMatch(
    /^the source no longer has public\.orders, which increp synced before the reset of 20\S+Z; its destination table public\.orders is kept$/,
  );
  expect(after?.hint).toBe(error?.hint);
  const status = await increp('status --exit-code', pair);
  expect(status.exitCode).toBe(2);
});

slowTest('a reset removes a column that is gone from the source, and keeps a column of a user', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(`ALTER TABLE orders ADD COLUMN remark text DEFAULT 'ours'`);
  await pair.source.query('ALTER TABLE orders DROP COLUMN note');
  // A second reset does not forget what the first one knew.
  await increp('reset orders', pair);
  await increp('reset orders', pair);
  await sync(pair);
  const { rows } = await pair.destination.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY 1`,
  );
  expect(rows.map(({ name }) => name)).toEqual(['id', 'remark', 'total', 'updated_at']);
});

test('a source table that was renamed continues under its new name without a load', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.source.query('ALTER TABLE orders RENAME TO bills; CREATE TABLE others (id int)');
  const { error } = (await trySync(pair)).table();
  expect(error).toMatchObject({
    code: 'TABLE_NOT_FOUND',
    message: 'public.orders is now named public.bills at the source (same table)',
    hint: expect.stringContaining(
      'change the entry of "orders" to "name": "bills", "dest_name": "orders" in',
    ),
  });
  expect((await increp('status', pair)).stdout).toContain('is now named public.bills');
  await pair.writeTables([{ ...ORDERS_CONFIG, name: 'bills', dest_name: 'orders' }]);
  await pair.source.query(`INSERT INTO bills (id, total) VALUES (50, 1)`);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
  expect((await increp('verify', pair)).exitCode).toBe(0);
  expect((await increp('status --exit-code', pair)).exitCode).toBe(0);
});

test('a source table in another schema continues there, and one whose name another table took is named', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { user } = pair.login('source', 'increp');
  await pair.source
    .query(`CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO ${user}; ALTER TABLE orders SET SCHEMA shop;
    CREATE TABLE others (id int)`);
  expect((await trySync(pair)).table().error?.hint).toContain(
    'change the entry of "orders" to "schema": "shop", "dest_schema": "public", "name": "orders" in tables-config.json',
  );
  await pair.writeTables([{ ...ORDERS_CONFIG, schema: 'shop', dest_schema: 'public' }]);
  expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
  await pair.source.query(`ALTER TABLE shop.orders RENAME TO orders_old;
    CREATE TABLE shop.orders (LIKE shop.orders_old INCLUDING ALL); GRANT SELECT ON shop.orders TO ${user}`);
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toContain(
    'another table has this name at the source now, and the former table is shop.orders_old',
  );
});

test('a replication key that changed to one that finds only inserts is named once', async () => {
  const orders = (key: string) => ({ name: 't', replication_key: key, unique_cols: ['id'] });
  await using pair = await freshPair({
    tables: [orders('at')],
    sourceSql: 'CREATE TABLE t AS SELECT 1 AS id, now() AS at',
  });
  await sync(pair);
  await pair.writeTables([orders('id')]);
  const text = '"id" seems to be set only when a row is inserted';
  expect((await increp('plan', pair)).stdout).toContain(`note: ${text}`);
  expect((await increp('sync -q', pair)).stdout).toContain(`warning: ${text}`);
  expect((await increp('status', pair)).stdout).toContain(text);
  expect((await increp('sync -q', pair)).stdout).toBe('');
});
