/** `deletes: "keep"`: 30 days in production, everything in the warehouse. Rows that are gone from the source stay for good. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { freshSeveral } from '../support/several.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const KEEP = { ...ORDERS_CONFIG, deletes: 'keep', initial_load: 'copy' };

/** Ten orders were copied, and the source has pruned the first eight since. */
async function pruned(options: object = {}): Promise<Pair> {
  const pair = await freshPair({
    tables: [{ ...KEEP, ...options }],
    sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, total, note)
      SELECT id, id * 1.25, id::text FROM generate_series(1, 10) id`,
  });
  await sync(pair);
  await pair.source
    .query(`DELETE FROM orders WHERE id <= 8; INSERT INTO orders (id, total, note) VALUES (11, 11, '11');
    UPDATE orders SET total = 0.5, updated_at = now() WHERE id = 9`);
  return pair;
}

/** The rows as text, in the order of their keys. */
async function rowsIn({ destination }: Pair, columns = 'id, total, note', table = 'orders'): Promise<string> {
  const { rows } = await destination.query<{ row: string }>(
    `SELECT ROW(${columns})::text AS row FROM ${table} ORDER BY id::text::int`,
  );
  return rows.map(({ row }) => row.slice(1, -1)).join(' ');
}

const OLD = '1,1.25,1 2,2.50,2 3,3.75,3 4,5.00,4 5,6.25,5 6,7.50,6 7,8.75,7 8,10.00,8';
const ALL = `${OLD} 9,0.50,9 10,12.50,10 11,11.00,11`;

interface Way {
  readonly again?: (pair: Pair) => Promise<unknown>;
  readonly args?: string;
  readonly options?: object;
  readonly all?: string;
  readonly action?: string;
}

const WAYS: Readonly<Record<string, Way>> = {
  'an ordinary sync': { action: 'incremental' },
  'a reset': { again: (pair) => increp('reset orders', pair), action: 'reset' },
  'a full refresh': { args: '--full-refresh', action: 'full-refresh' },
  'a load in chunks': { args: '--full-refresh', options: { chunk: '8kB' } },
  'a sync that verifies': { args: '--full-refresh --verify' },
  'a new column': {
    again: ({ source }) => source.query('ALTER TABLE orders ADD more int NOT NULL DEFAULT 7'),
  },
  'a new column, in chunks': {
    again: ({ source }) => source.query('ALTER TABLE orders ADD more int NOT NULL DEFAULT 7'),
    options: { chunk: '8kB' },
  },
  'a new column, in place': {
    again: ({ source }) => source.query('ALTER TABLE orders ADD more int NOT NULL DEFAULT 7'),
    options: { on_schema_change: 'evolve' },
    action: 'incremental',
  },
  'a wider type, in place': {
    again: ({ source }) => source.query('ALTER TABLE orders ALTER total TYPE numeric(14,3)'),
    options: { on_schema_change: 'evolve' },
    all: ALL.replaceAll(/(\.\d\d)/g, '$10'),
    action: 'incremental',
  },
  'another type that loses nothing': {
    again: ({ source }) => source.query('ALTER TABLE orders ALTER note TYPE int USING note::int'),
    action: 'reset',
  },
  'another type, with evolve and a view': {
    again: async ({ source, destination, login }) => {
      await destination.query(`CREATE VIEW noted AS SELECT note FROM orders;
        ALTER VIEW noted OWNER TO ${login('destination', 'increp').user}`);
      await source.query('ALTER TABLE orders ALTER note TYPE bigint USING note::bigint');
    },
    options: { on_schema_change: 'evolve' },
    action: 'reset',
  },
  'another type of the key, in chunks': {
    again: ({ source }) => source.query('ALTER TABLE orders ALTER id TYPE text'),
    options: { chunk: '8kB' },
  },
  'a dropped column': {
    again: ({ source }) => source.query('ALTER TABLE orders DROP note'),
    all: ALL.replace(',11.00,11', ',11.00,'),
  },
  'a table made anew': {
    again: ({ source }) =>
      source.query(`CREATE TABLE anew (LIKE orders INCLUDING ALL); INSERT INTO anew SELECT * FROM orders;
        DROP TABLE orders; ALTER TABLE anew RENAME TO orders; GRANT SELECT ON orders TO PUBLIC`),
  },
  'another replication key': {
    again: (pair) => pair.writeTables([{ ...KEEP, replication_key: 'id' }]),
  },
  'mode full-refresh': {
    again: (pair) =>
      pair.writeTables([{ name: 'orders', mode: 'full-refresh', unique_cols: ['id'], deletes: 'keep' }]),
    action: 'full-refresh',
  },
  'a table that pipelines share': {
    again: ({ source }) => source.query('ALTER TABLE orders ADD more int'),
    options: { metadata_columns: ['_source'] },
    action: 'reset',
  },
  'a selection of rows': { again: (pair) => pair.writeTables([{ ...KEEP, where: 'id > 8' }]) },
};

for (const [name, way] of oneIn(12, Object.entries(WAYS)))
  test(`rows that are gone survive ${name}`, async () => {
    await using pair = await pruned(way.options);
    await way.again?.(pair);
    const plan = await increp(`plan ${way.args?.replace(' --verify', '') ?? ''}`, pair);
    expect(plan.stdout).toContain('rows that are gone from the source stay ("deletes": "keep")');
    expect(plan.stdout).not.toMatch(/removes:|would be refused/);
    const { table } = await sync(pair, way.args);
    expect(table().rows_deleted).toBe(0);
    if (way.action !== undefined) expect(table().action).toBe(way.action);
    expect(await rowsIn(pair)).toBe(way.all ?? ALL);
    const verified = await increp('verify --repair', pair);
    expect(verified.exitCode, verified.stdout).toBe(0);
    expect(verified.stdout).toContain('8 only at the destination, kept ("deletes": "keep")');
    expect(await rowsIn(pair)).toBe(way.all ?? ALL);
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 0, rows_deleted: 0 });
  });

/** What the archive must never do is to lose a value without a word: each statement of a refusal leads out of it. */
interface Refusal {
  readonly change: (pair: Pair) => Promise<unknown>;
  readonly options?: object;
  readonly code?: string;
  readonly says: RegExp;
  /** What the hint says. */
  readonly steps: (pair: Pair, hint: string) => Promise<unknown>;
  readonly all: string;
  readonly columns?: string;
}

/** Runs the first statements of the hint that begin so. */
const runAt = async ({ destination }: Pair, hint: string, statement: RegExp) => {
  const sql = statement.exec(hint)?.[0];
  if (sql === undefined) throw new Error(`no such statement in: ${hint}`);
  await destination.query(sql);
};

const REFUSALS: Readonly<Record<string, Refusal>> = {
  'a type that cannot hold the values of kept rows': {
    change: ({ source }) => source.query('ALTER TABLE orders ALTER total TYPE numeric(12,1)'),
    says: /is numeric\(12,2\) and must be numeric\(12,1\).*that would change the value in 4 rows that the source no longer has; nothing was changed/,
    steps: (pair, hint) => runAt(pair, hint, /ALTER TABLE \S+ RENAME COLUMN .*? DROP NOT NULL/),
    columns: 'id, total, total_old',
    all: '1,,1.25 2,,2.50 3,,3.75 4,,5.00 5,,6.25 6,,7.50 7,,8.75 8,,10.00 9,0.5,11.25 10,12.5,12.50 11,11.0,',
  },
  'a type to which the server cannot convert': {
    change: ({ source }) =>
      source.query(`ALTER TABLE orders ALTER note TYPE date USING '2026-01-01'::date + note::int`),
    says: /the server cannot convert its values \(invalid input syntax for type date/,
    steps: (pair) =>
      pair.destination.query(
        `ALTER TABLE orders ALTER COLUMN note TYPE date USING '2026-01-01'::date + note::int`,
      ),
    all: ALL.replaceAll(
      /,(\d+)(?= |$)/g,
      (_, day: string) => `,2026-01-${String(Number(day) + 1).padStart(2, '0')}`,
    ),
  },
  'an expression that only the source knows': {
    change: ({ source }) => source.query('ALTER TABLE orders ALTER note TYPE int USING note::int * 100'),
    options: { on_schema_change: 'evolve' },
    says: /the source has other values than this conversion gives \(1 row\)/,
    steps: (pair) =>
      pair.destination.query('ALTER TABLE orders ALTER COLUMN note TYPE int USING note::int * 100'),
    all: ALL.replaceAll(/,(\d+)(?= |$)/g, ',$100'),
  },
  'an expression of a wider type that only the source knows': {
    change: ({ source }) =>
      source.query('ALTER TABLE orders ALTER total TYPE numeric(14,2) USING total * 100'),
    options: { on_schema_change: 'evolve' },
    says: /the source has other values than this conversion gives/,
    steps: (pair) =>
      pair.destination.query('ALTER TABLE orders ALTER COLUMN total TYPE numeric(14,2) USING total * 100'),
    all: ALL.replaceAll(/(\d+)\.(\d\d)/g, (_, whole: string, rest: string) => `${Number(whole + rest)}.00`),
  },
  'another name of the key': {
    change: async (pair) => {
      await pair.source.query('ALTER TABLE orders RENAME COLUMN id TO number');
      await pair.writeTables([{ ...KEEP, unique_cols: ['number'] }]);
    },
    says: /unique_cols changed from \[id\] to \[number\], and public\.orders keeps rows/,
    steps: async (pair, hint) => {
      await runAt(pair, hint, /ALTER TABLE \S+ RENAME COLUMN "id" TO "number"/);
      expect(hint).toContain('run "increp reset orders"');
      await increp('reset orders', pair);
    },
    columns: 'number, total, note',
    all: ALL,
  },
  'another key, with the kept rows set aside': {
    change: (pair) => pair.writeTables([{ ...KEEP, unique_cols: ['note'] }]),
    says: /unique_cols changed from \[id\] to \[note\]/,
    steps: async (pair, hint) => {
      await runAt(pair, hint, /ALTER TABLE \S+ RENAME TO "orders_archive"/);
      expect(await rowsIn(pair, undefined, 'orders_archive')).toContain(OLD);
    },
    all: '9,0.50,9 10,12.50,10 11,11.00,11',
  },
  'another key that is unique too': {
    change: (pair) => pair.writeTables([{ ...KEEP, unique_cols: ['note'] }]),
    says: /unique_cols changed from \[id\] to \[note\]/,
    steps: async (pair, hint) => {
      expect(hint).toContain(
        'If (note) is unique in the destination table too, let the next sync find rows by it: "increp reset orders"',
      );
      await increp('reset orders', pair);
    },
    all: ALL,
  },
  'a view on a dropped column that shall go': {
    change: async ({ source, destination, login }) => {
      await destination.query(`CREATE VIEW noted AS SELECT note FROM orders;
        ALTER VIEW noted OWNER TO ${login('destination', 'increp').user}`);
      await source.query('ALTER TABLE orders DROP note');
    },
    options: { dropped_columns: 'drop' },
    code: 'DEPENDENT_OBJECTS',
    says: /but view public\.noted uses column "note", which increp has to remove/,
    steps: ({ destination }) => destination.query('DROP VIEW noted'),
    columns: 'id, total',
    all: ALL.replaceAll(/,\d+(?= |$)/g, ''),
  },
};

const stateOf = async ({ destination }: Pair) =>
  (await destination.query('SELECT record, (SELECT json_agg(o) FROM orders o) AS rows FROM _increp_state'))
    .rows;

for (const [name, refusal] of oneIn(8, Object.entries(REFUSALS)))
  test(`refused, and then done: ${name}`, async () => {
    await using pair = await pruned(refusal.options);
    await refusal.change(pair);
    const before = await stateOf(pair);
    const { error } = (await trySync(pair)).table();
    expect(error?.code).toBe(refusal.code ?? 'SCHEMA_CHANGE_REFUSED');
    expect(error?.message).toMatch(refusal.says);
    expect(await stateOf(pair)).toEqual(before);
    await refusal.steps(pair, error?.hint ?? '');
    expect((await sync(pair)).table().rows_deleted).toBe(0);
    const columns = refusal.columns ?? 'id, total, note';
    const { rows } = await pair.destination.query<{ row: string }>(
      `SELECT ROW(${columns})::text AS row FROM orders ORDER BY ${columns.split(',')[0] ?? ''}`,
    );
    expect(rows.map(({ row }) => row.slice(1, -1)).join(' ')).toBe(refusal.all);
    expect((await increp('verify', pair)).exitCode).toBe(0);
  });

test('a table that was dropped by hand is loaded, with a warning', async () => {
  await using pair = await pruned();
  await pair.destination.query('DROP TABLE orders');
  expect((await sync(pair)).table()).toMatchObject({
    ...{ action: 'initial', rows_inserted: 3 },
    warnings: [expect.stringMatching(/^no command requested this load: the destination table was dropped; /)],
  });
  await pair.destination.query('TRUNCATE orders');
  expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 3 });
});

slowTest('a key that the source uses again replaces the kept row', async () => {
  await using pair = await pruned();
  await sync(pair);
  await pair.source.query(`INSERT INTO orders (id, total, note) VALUES (1, 99, '1')`);
  expect((await sync(pair)).table()).toMatchObject({ rows_updated: 1 });
  expect(await rowsIn(pair)).toBe(ALL.replace('1.25', '99.00'));
});

slowTest('a table of other origin is adopted with all its rows', async () => {
  await using pair = await freshPair({
    tables: [KEEP],
    sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, total, note) VALUES (9, 0.5, '9')`,
    destinationSql: `${ORDERS_SQL}; INSERT INTO orders (id, total, note) VALUES (1, 1.25, '1'), (9, 7, '9')`,
  });
  await sync(pair, 'orders --adopt');
  expect(await rowsIn(pair)).toBe('1,1.25,1 9,0.50,9');
});

slowTest(
  'patterns, other names, partitions, selections and several destinations keep their rows',
  async () => {
    await using pair = await freshSeveral({
      tables: [
        { ...KEEP, name: 'ev_*', dest_name: 'Kept_*' },
        {
          ...KEEP,
          name: 'Parts',
          unique_cols: ['Id', 'day'],
          transform: { note: 'upper(note)' },
          exclude_columns: ['secret'],
          on_schema_change: 'evolve',
        },
      ],
      sourceSql: `CREATE TABLE ev_1 (id int PRIMARY KEY, note text, updated_at timestamptz NOT NULL DEFAULT now());
      INSERT INTO ev_1 SELECT i, i FROM generate_series(1, 10) i;
      CREATE TABLE "Parts" ("Id" int, day date, note text, secret text, updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY ("Id", day)) PARTITION BY RANGE (day);
      CREATE TABLE january PARTITION OF "Parts" FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
      CREATE TABLE february PARTITION OF "Parts" FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
      INSERT INTO "Parts" SELECT i, date '2026-01-15' + i, 'n' || i, 's' FROM generate_series(1, 30) i`,
    });
    await sync(pair);
    await pair.source
      .query(`DROP TABLE january; ALTER TABLE "Parts" ALTER "Id" TYPE bigint; DELETE FROM ev_1 WHERE id > 1;
    ALTER TABLE ev_1 ALTER note TYPE int USING note::int`);
    await sync(pair);
    await sync(pair, '--full-refresh');
    for (const { pool } of pair.copies) {
      const { rows } =
        await pool.query(`SELECT (SELECT count(*)::int FROM "Kept_1") AS kept, (SELECT sum(note)::int FROM "Kept_1") AS notes,
      (SELECT count(*)::int FROM "Parts" WHERE note = upper('n' || "Id")) AS parts`);
      expect(rows).toEqual([{ kept: 10, notes: 55, parts: 30 }]);
    }
    expect((await increp('verify', pair)).exitCode).toBe(0);
  },
);

test('status and plan name the loss of kept rows until a comparison or a full refresh', async () => {
  await using pair = await pruned();
  await sync(pair);
  const told = async (args: string) => /lost rows, noticed \d{4}-/.test((await increp(args, pair)).stdout);
  await pair.destination.query('DROP TABLE orders, _increp_state');
  await sync(pair);
  await sync(pair);
  expect([await told('status'), await told('plan')]).toEqual([true, true]);
  // A comparison of all tables may be about another one.
  expect((await increp('verify', pair)).exitCode).toBe(0);
  expect([await told('status'), await told('plan')]).toEqual([true, true]);
  expect((await increp('verify orders', pair)).exitCode).toBe(0);
  expect([await told('status'), await told('plan')]).toEqual([false, false]);
  await pair.destination.query('TRUNCATE orders');
  await sync(pair);
  expect(await told('status')).toBe(true);
  await sync(pair, '--full-refresh');
  expect(await told('status')).toBe(false);
  await pair.destination.query('DROP TABLE orders');
  expect((await increp('sync --full-refresh --quiet', pair)).stdout).not.toContain('no command requested');
  expect(await told('status')).toBe(false);
});
