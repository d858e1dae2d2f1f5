/** `constraints`: keys, checks, foreign keys and defaults of the source are in force at the destination, and cost no sync. */
import { describe, expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const SHOP = `
  CREATE TABLE customers (id bigint PRIMARY KEY, email text UNIQUE DEFERRABLE INITIALLY DEFERRED, boss bigint REFERENCES customers,
    note text NOT NULL DEFAULT 'none', CONSTRAINT has_at CHECK (email LIKE '%@%'), updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, number text, total numeric DEFAULT (2 + 3),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers ON UPDATE RESTRICT,
    UNIQUE (customer_id, number));
  INSERT INTO customers SELECT i, i || '@example.com', nullif(i - 1, 0) FROM generate_series(1, 10) i;
  INSERT INTO orders SELECT i, i % 10 + 1, 'n' || i FROM generate_series(1, 30) i;
  ALTER TABLE orders ADD CONSTRAINT sane CHECK (total > 0) NOT VALID`;

const KEYED = {
  replication_key: 'updated_at',
  unique_cols: ['id'],
  initial_load: 'copy',
  constraints: 'copy',
};

const TABLES = ['orders', 'customers'] as const;

const shop = (change: object = {}, tables: readonly string[] = TABLES, sql = '') =>
  freshPair({
    tables: tables.map((name) => ({ name, ...KEYED, deletes: 'hard', deletes_every: '0s', ...change })),
    sourceSql: `${SHOP}; ${sql}`,
  });

const constraints = async (pool: Pair['source']) =>
  (
    await pool.query<{ text: string }>(
      `SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS text FROM pg_constraint
       WHERE conrelid::regclass::text IN ('orders', 'customers') AND contype <> 'n' ORDER BY 1`,
    )
  ).rows.map(({ text }) => text);

const defaults = async (pool: Pair['source']) =>
  (
    await pool.query<{ text: string }>(
      `SELECT concat_ws(' ', table_name, column_name, column_default) AS text FROM information_schema.columns
       WHERE table_name IN ('orders', 'customers') AND column_default IS NOT NULL ORDER BY 1`,
    )
  ).rows.map(({ text }) => text);

async function expectSame(pair: Pair): Promise<void> {
  expect(await constraints(pair.destination)).toEqual(await constraints(pair.source));
  expect(await defaults(pair.destination)).toEqual(await defaults(pair.source));
  for (const table of TABLES) await expectSameRows(pair, table);
}

const changes = (
  objects: readonly { readonly kind: string; readonly name: string; readonly change: string }[] = [],
) => objects.map(({ change, kind, name }) => `${change} ${kind} ${name}`).toSorted();

test('keys, checks, foreign keys and defaults arrive with the first sync', async () => {
  await using pair = await shop();
  const { table } = await sync(pair);
  expect(changes(table('customers').objects)).toEqual([
    'created check constraint has_at',
    'created default note',
    'created default updated_at',
    'created foreign key customers_boss_fkey',
    'created unique constraint customers_email_key',
    'validated check constraint has_at',
    'validated foreign key customers_boss_fkey',
  ]);
  expect(changes(table('orders').objects)).toEqual([
    'created check constraint sane',
    'created default total',
    'created default updated_at',
    'created foreign key of_customer',
    'created unique constraint orders_customer_id_number_key',
    'validated foreign key of_customer',
  ]);
  await expectSame(pair);
  const again = await sync(pair);
  expect(again.summary.tables.flatMap(({ objects = [], warnings }) => [...objects, ...warnings])).toEqual([]);
  expect((await increp('check', pair)).stdout).not.toMatch(/OBJECT_|KEPT_ROWS|DESTINATION_CONSTRAINT/);
});

test('the plan of a first sync names the constraints that it creates, also if unique_cols are not the primary key', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'events', ...KEYED }],
    sourceSql: `CREATE TABLE events (id int NOT NULL UNIQUE, number int, updated_at timestamptz, PRIMARY KEY (id, number))`,
  });
  interface Planned {
    readonly tables: readonly {
      readonly objects: readonly { readonly kind: string; readonly name: string }[];
    }[];
  }
  const [planned] = (await increp('plan --json', pair)).json<Planned>().tables;
  const named = planned?.objects.map(({ kind, name }) => `created ${kind} ${name}`);
  expect(named).toEqual(['created unique constraint events_pkey']);
  expect(changes((await sync(pair)).table('events').objects)).toEqual(named);
});

slowTest('the next syncs follow the constraints of the source, and users keep their own', async () => {
  await using pair = await shop();
  await sync(pair);
  await pair.destination.query(
    `ALTER TABLE orders ADD CONSTRAINT theirs CHECK (id > 0); ALTER TABLE customers ALTER boss SET DEFAULT 1`,
  );
  await pair.source.query(`
    ALTER TABLE orders DROP CONSTRAINT of_customer, DROP CONSTRAINT sane, ADD CONSTRAINT sane CHECK (total > 1),
      ADD CONSTRAINT new_one CHECK (number <> ''), DROP CONSTRAINT orders_customer_id_number_key, ALTER total SET DEFAULT 7,
      ADD CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id) DEFERRABLE;
    ALTER TABLE customers ALTER note DROP DEFAULT, ALTER boss SET DEFAULT 2`);
  const { table } = await sync(pair);
  expect(changes(table('orders').objects)).toEqual([
    'created check constraint new_one',
    'dropped unique constraint orders_customer_id_number_key',
    'replaced check constraint sane',
    'replaced default total',
    'replaced foreign key of_customer',
    'validated check constraint new_one',
    'validated check constraint sane',
    'validated foreign key of_customer',
  ]);
  expect(changes(table('customers').objects)).toEqual(['dropped default note']);
  expect((await increp('plan', pair)).stdout).toMatch(
    /leave out: default of "boss": the destination has another default/,
  );
  await pair.destination.query(
    `ALTER TABLE orders DROP CONSTRAINT theirs; ALTER TABLE customers ALTER boss SET DEFAULT 2`,
  );
  await expectSame(pair);
});

slowTest('rows come and go under the copied keys, with values that move from row to row', async () => {
  await using pair = await shop();
  await sync(pair);
  for (let round = 0; round < 3; round += 1) {
    await pair.source.query(`
      INSERT INTO customers SELECT max(id) + 1, max(id) + 1 || '@new', max(id) FROM customers;
      INSERT INTO orders SELECT max(o.id) + 1, max(c.id), 'x' FROM orders o, customers c;
      UPDATE orders SET customer_id = (SELECT max(id) FROM customers), number = id, updated_at = clock_timestamp() WHERE id % 5 = ${round};
      UPDATE customers SET boss = NULL, updated_at = clock_timestamp() WHERE boss = ${round + 1};
      DELETE FROM customers WHERE id = ${round + 1};
      BEGIN; UPDATE customers SET email = CASE id WHEN 8 THEN '9@' ELSE '8@' END || ${round}, updated_at = clock_timestamp() WHERE id IN (8, 9); COMMIT`);
    expect((await sync(pair)).summary.tables.flatMap(({ warnings }) => warnings)).toEqual([]);
    await expectSame(pair);
  }
});

slowTest('while the source is written, no run fails, and in the end every key is valid', async () => {
  await using pair = await shop();
  const writer = pair.source.query(
    `DO $$ BEGIN FOR i IN 100..700 LOOP
    INSERT INTO customers VALUES (i, i || '@', i - 90 - (i - 90) % 10 + 10); INSERT INTO orders VALUES (i, i, i); COMMIT; PERFORM pg_sleep(0.005); END LOOP; END $$`.replace(
      'i - 90 - (i - 90) % 10 + 10',
      'NULL',
    ),
  );
  for (let run = 0; run < 5; run += 1)
    expect((await sync(pair)).summary.tables.map(({ status }) => status)).toEqual(['ok', 'ok']);
  await writer;
  await sync(pair);
  await sync(pair);
  await expectSame(pair);
});

describe('a constraint that the source no longer has', () => {
  test.each(
    oneIn(4, [
      [
        'unique',
        'ALTER TABLE orders DROP CONSTRAINT orders_customer_id_number_key; UPDATE orders SET number = 1, customer_id = 1, updated_at = clock_timestamp() WHERE id < 4',
        'orders',
        'orders_customer_id_number_key',
      ],
      [
        'check',
        `ALTER TABLE orders DROP CONSTRAINT sane; UPDATE orders SET total = -1, updated_at = clock_timestamp() WHERE id < 4`,
        'orders',
        'sane',
      ],
      [
        'foreign key',
        `ALTER TABLE orders DROP CONSTRAINT of_customer; UPDATE orders SET customer_id = 77, updated_at = clock_timestamp() WHERE id < 4`,
        'orders',
        'of_customer',
      ],
      [
        'foreign key of another table',
        `ALTER TABLE orders DROP CONSTRAINT of_customer; DELETE FROM customers WHERE id = 10`,
        'customers',
        undefined,
      ],
    ] as const),
  )('costs no sync: %s', async (_, sql, name, constraint) => {
    await using pair = await shop();
    await sync(pair);
    await pair.source.query(sql);
    const { table } = await sync(pair);
    if (constraint !== undefined)
      expect(table(name).warnings).toEqual([
        expect.stringMatching(`^increp dropped .*"${constraint}" at the destination`),
      ]);
    await expectSame(pair);
  });
});

slowTest(
  'a table whose deleted rows stay gets no foreign key to a table that removes them, and the rest',
  async () => {
    await using pair = await freshPair({
      tables: [
        { name: 'customers', ...KEYED, deletes: 'hard', deletes_every: '0s' },
        { name: 'orders', ...KEYED, deletes: 'keep' },
      ],
      sourceSql: SHOP,
    });
    await sync(pair);
    await pair.source.query('DELETE FROM orders WHERE customer_id = 10; DELETE FROM customers WHERE id = 10');
    expect((await sync(pair)).table('customers')).toMatchObject({ rows_deleted: 1, warnings: [] });
    expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toMatch(
      /leave out: foreign key "of_customer": deleted rows are removed from "customers", and rows that refer to them stay/,
    );
    const { rows } = await pair.destination.query(
      `SELECT count(*)::int AS count FROM orders WHERE customer_id = 10`,
    );
    expect(rows).toEqual([{ count: 3 }]);
  },
);

test.each(
  oneIn(2, [
    [
      'a parent that is not copied',
      {},
      ['orders'],
      /foreign key "of_customer": this pipeline does not copy the table "customers"/,
    ],
    [
      'a parent in part',
      { where: 'id > 3' },
      TABLES,
      /foreign key "of_customer": "where" leaves out rows of "customers"/,
    ],
    [
      'several versions',
      { mode: 'incremental-append', deletes: 'ignore' },
      TABLES,
      /unique constraint "customers_email_key": mode "incremental-append"/,
    ],
  ] as const),
)('left out: %s', async (_, change, tables, why) => {
  await using pair = await shop(change, tables);
  expect((await sync(pair)).summary.tables.flatMap(({ warnings }) => warnings)).toEqual([]);
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toMatch(why);
});

slowTest(
  'another unique key: the primary key of the source becomes a unique constraint, to which foreign keys refer',
  async () => {
    await using pair = await freshPair({
      tables: [
        { name: 'customers', ...KEYED, unique_cols: ['email'], deletes: 'hard', deletes_every: '0s' },
        { name: 'orders', ...KEYED, deletes: 'hard', deletes_every: '0s' },
      ],
      sourceSql: `${SHOP}; ALTER TABLE customers ALTER email SET NOT NULL`,
    });
    const { table } = await sync(pair);
    expect(changes(table('customers').objects)).toContain('created unique constraint customers_pkey');
    expect(changes(table('orders').objects)).toContain('validated foreign key of_customer');
    await pair.source.query(
      `UPDATE customers SET email = 'moved@' || id, updated_at = clock_timestamp() WHERE id = 4`,
    );
    const { summary } = await sync(pair);
    expect(summary.tables.map(({ status }) => status)).toEqual(['ok', 'ok']);
    for (const name of TABLES) await expectSameRows(pair, name);
  },
);

slowTest('ON DELETE CASCADE is not copied, because it would delete rows that the source has', async () => {
  await using pair = await freshPair({
    tables: [
      { name: 'customers', ...KEYED, unique_cols: ['email'], deletes: 'hard', deletes_every: '0s' },
      { name: 'orders', ...KEYED, deletes: 'hard', deletes_every: '0s' },
    ],
    sourceSql: `${SHOP}; ALTER TABLE customers ALTER email SET NOT NULL; ALTER TABLE orders DROP CONSTRAINT of_customer,
      ADD CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE`,
  });
  await sync(pair);
  await pair.source.query(
    `UPDATE customers SET email = 'moved@' || id, updated_at = clock_timestamp() WHERE id = 4`,
  );
  await sync(pair);
  for (const name of TABLES) await expectSameRows(pair, name);
  expect((await increp('plan', pair)).stdout.replaceAll(/\s+/g, ' ')).toMatch(
    /leave out: ON DELETE CASCADE of foreign key "of_customer": an action .* is copied without it; .* REFERENCES "public"."customers" \("id"\) ON DELETE CASCADE/,
  );
});

slowTest('renamed columns and tables: the constraints have their names', async () => {
  await using pair = await freshPair({
    tables: [
      { name: 'customers', ...KEYED, dest_name: 'people', rename: { id: 'person id' } },
      { name: 'orders', ...KEYED, rename: { customer_id: 'person', number: 'no' } },
    ],
    sourceSql: SHOP,
  });
  await sync(pair);
  const { rows } = await pair.destination.query<{ text: string }>(
    `SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conrelid = 'orders'::regclass AND contype IN ('f', 'u') ORDER BY 1`,
  );
  expect(rows.map(({ text }) => text)).toEqual([
    'FOREIGN KEY (person) REFERENCES people("person id") ON UPDATE RESTRICT',
    'UNIQUE (person, no)',
  ]);
});

slowTest(
  'rows of the destination that refuse a check: it holds for new rows, and is validated later',
  async () => {
    await using pair = await shop({ deletes: 'ignore' });
    await sync(pair);
    await pair.destination.query(
      `ALTER TABLE customers DROP CONSTRAINT has_at; INSERT INTO customers VALUES (99, 'wrong', NULL, '', now())`,
    );
    const { table } = await sync(pair);
    expect(table('customers').warnings).toEqual([
      expect.stringMatching(
        /check constraint "has_at" was refused: .* is violated by some row.* Statement: ALTER TABLE "public"."customers" VALIDATE/,
      ),
    ]);
    await pair.destination.query('DELETE FROM customers WHERE id = 99');
    const later = await sync(pair, '', { timing: { refusedObjectPause: 0 } });
    expect(changes(later.table('customers').objects)).toEqual(['validated check constraint has_at']);
    await expectSame(pair);
  },
);

test.each(oneIn(4, ['reset', 'evolve', '--full-refresh', '--jobs 2']))(
  'a new shape or a new load keeps the constraints in step: %s',
  async (how) => {
    const isFlag = how.startsWith('--');
    await using pair = await shop(isFlag ? {} : { on_schema_change: how });
    await sync(pair, how === '--jobs 2' ? how : '');
    if (!isFlag)
      await pair.source
        .query(`ALTER TABLE orders ALTER number TYPE int USING id, ADD more text DEFAULT 'm' CHECK (more <> ''), DROP CONSTRAINT sane, DROP total;
      ALTER TABLE customers ALTER id TYPE int, ALTER boss TYPE int; ALTER TABLE orders ALTER customer_id TYPE int`);
    expect(
      (await trySync(pair, isFlag ? how : '')).summary.tables.map(({ error }) => error?.message),
    ).toEqual([undefined, undefined]);
    await sync(pair);
    await expectSame(pair);
  },
);

test('switched off: what was copied stays as it is', async () => {
  await using pair = await shop();
  await sync(pair);
  const before = await constraints(pair.destination);
  await pair.writeTables(TABLES.map((name) => ({ name, ...KEYED, constraints: 'ignore', indexes: 'copy' })));
  await pair.source.query('ALTER TABLE orders DROP CONSTRAINT of_customer, DROP CONSTRAINT sane');
  const { summary } = await sync(pair);
  expect(summary.tables.flatMap(({ warnings }) => warnings)).toEqual([]);
  expect(await constraints(pair.destination)).toEqual(before);
});
