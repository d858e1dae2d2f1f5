/** A table that a server, or the state directory, refuses to speak of: it is named, and every other table is told and synced. */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { describeTables } from '../../src/postgres/catalog.ts';
import { increp } from '../support/increp.ts';
import type { IncrepOptions } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, TableConfig } from '../support/pair.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

interface ErrorJson {
  readonly code: string;
  readonly message: string;
}

interface Told {
  readonly name: string;
  readonly action: string;
  readonly status: string;
  readonly state: string;
  readonly error: ErrorJson | null;
  readonly unknown: ErrorJson | null;
}

interface Finding {
  readonly level: string;
  readonly code: string;
  readonly table: string | null;
  readonly message: string;
}

const told = async (command: string, pair: Pair, options: IncrepOptions = {}) => {
  const result = await increp(`${command} --json`, pair, options);
  const { tables } = result.json<{ tables: readonly Told[] }>();
  return {
    exitCode: result.exitCode,
    names: tables.map(({ name }) => name),
    of: (name: string) => tables.find((table) => table.name === name),
  };
};

const errorsOf = async (pair: Pair, options: IncrepOptions = {}): Promise<readonly Finding[]> => {
  const result = await increp('check --json', pair, options);
  return result.json<{ findings: Finding[] }>().findings.filter(({ level }) => level === 'error');
};

interface Broken {
  readonly what: string;
  readonly sql: string;
  /** Of the error that names it. */
  readonly says: RegExp;
  readonly more?: Partial<TableConfig>;
  /** Whether `plan` reads what fails. */
  readonly isReadByPlan?: boolean;
}

const KEYED = { replication_key: 'updated_at', unique_cols: ['id'] };
const VIEW = `CREATE VIEW broken AS SELECT id, note, updated_at FROM orders`;
const DEAD = /* sql */ `
  CREATE EXTENSION IF NOT EXISTS postgres_fdw;
  CREATE SERVER dead FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'none');
  CREATE USER MAPPING FOR PUBLIC SERVER dead OPTIONS (user 'nobody', password 'none');
  CREATE FOREIGN TABLE broken (id bigint, note text, updated_at timestamptz) SERVER dead`;
const RAISE = /* sql */ `
  CREATE FUNCTION public.raises(bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$`;

const BROKEN: readonly Broken[] = [
  {
    what: 'a view that divides by zero',
    sql: `${VIEW} WHERE total / (id - id) > 0`,
    says: /division by zero/,
  },
  { what: 'a foreign table whose server is away', sql: DEAD, says: /could not connect to server "dead"/ },
  {
    what: 'the same, read as a whole each time',
    sql: DEAD,
    says: /could not connect to server "dead"/,
    more: { mode: 'full-refresh' },
    isReadByPlan: false,
  },
  {
    what: 'a view over a function that raises',
    sql: `${RAISE}; ${VIEW} WHERE public.raises(id)`,
    says: /not today/,
  },
  {
    what: 'a view of whose table its owner has lost the right to read',
    sql: `${VIEW}; CREATE ROLE lost_PAIR; ALTER VIEW broken OWNER TO lost_PAIR`,
    says: /permission denied for table orders/,
    more: { mode: 'full-refresh' },
    isReadByPlan: false,
  },
  {
    what: 'a condition that raises',
    sql: `${RAISE}; CREATE TABLE broken (LIKE orders); INSERT INTO broken SELECT * FROM orders`,
    says: /not today/,
    more: { where: 'public.raises(id)' },
    isReadByPlan: false,
  },
];

const QUICK: IncrepOptions = { timing: { retryDelay: { base: 0.01, max: 0.02 } } };

describe.each(oneIn(12, BROKEN))('$what', ({ sql, says, more = KEYED, isReadByPlan = true }) => {
  const tables = [{ ...KEYED, ...more, name: 'broken' }, ORDERS_CONFIG].map((table) =>
    'mode' in table ? { name: table.name, mode: table.mode } : table,
  );
  const pairOf = async () => {
    const pair = await freshPair({ ...ordersPreset, tables, isOwn: true });
    const name = new URL(pair.sourceUrl()).pathname.slice(1);
    await pair.source.query(sql.replaceAll('PAIR', name));
    await pair.source.query(`GRANT SELECT ON broken TO ${pair.login('source', 'increp').user}`);
    return pair;
  };

  test('is named by each command, which goes on to the others', async () => {
    await using pair = await pairOf();
    expect(await errorsOf(pair)).toEqual([
      expect.objectContaining({ table: 'broken', message: expect.stringMatching(says) }),
    ]);
    const before = await told('plan', pair);
    expect(before.of('orders')).toMatchObject({ action: 'initial', error: null });
    if (isReadByPlan) expect(before.of('broken')?.error?.message).toMatch(says);
    const { exitCode, table } = await trySync(pair, '', QUICK);
    expect(exitCode).toBe(3);
    expect(table('orders')).toMatchObject({ status: 'ok', rows_inserted: 10 });
    expect(table('broken').error?.message).toMatch(says);
    expect((await told('plan', pair)).of('orders')).toMatchObject({ action: 'incremental', error: null });
    expect((await told('verify', pair)).of('orders')).toMatchObject({ status: 'equal' });
    const status = await told('status', pair);
    expect(status.names).toEqual(['broken', 'orders']);
    expect(status.of('orders')).toMatchObject({ state: 'ok' });
  });
});

slowTest(
  'a table that somebody holds for himself alone keeps nothing of the others from check and plan',
  async () => {
    await using pair = await freshPair({
      ...ordersPreset,
      tables: [{ ...KEYED, name: 'held' }, ORDERS_CONFIG],
    });
    const { user } = pair.login('source', 'increp');
    await pair.source.query(`CREATE TABLE held (LIKE orders); GRANT SELECT ON held TO ${user}`);
    const holder = await pair.source.connect();
    try {
      await holder.query('BEGIN; LOCK TABLE held');
      const options = { timing: { lockTimeout: 0.2 } };
      const says = /held by pid \d+ .*with AccessExclusiveLock on held at the source/;
      expect(await errorsOf(pair, options)).toMatchObject([
        { table: 'held', code: 'LOCK_TIMEOUT', message: expect.stringMatching(says) },
      ]);
      const plan = await told('plan', pair, options);
      expect(plan.of('held')?.error).toMatchObject({
        code: 'LOCK_TIMEOUT',
        message: expect.stringMatching(says),
      });
      expect(plan.of('orders')).toMatchObject({ action: 'initial', error: null });
    } finally {
      await holder.query('ROLLBACK');
      holder.release();
    }
  },
);

test('each command names the session that locks a partition, or a table below a view or a selection', async () => {
  const names = ['parts', 'seen', 'part_of'];
  await using pair = await freshPair({
    tables: names.map((name) => ({ ...KEYED, name, ...(name === 'part_of' && { where: 'id > 1' }) })),
    sourceSql: [
      'CREATE TABLE parts (id int PRIMARY KEY, updated_at timestamptz DEFAULT now()) PARTITION BY RANGE (id)',
      'CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (9)',
      'CREATE TABLE part_of (id int PRIMARY KEY, updated_at timestamptz DEFAULT now())',
      'CREATE VIEW seen AS SELECT * FROM part_of',
    ].join(';'),
  });
  await sync(pair);
  const holder = await pair.source.connect();
  try {
    await holder.query('BEGIN; LOCK TABLE parts_1, part_of');
    const options = { timing: { lockTimeout: 0.1, retryDelay: { base: 0.01, max: 0.01 } } };
    const synced = await trySync(pair, '', options);
    const commands = [
      (await told('plan', pair, options)).of,
      synced.table,
      (await told('verify', pair, options)).of,
    ];
    for (const of of commands)
      for (const [name, held] of [
        ['parts', 'parts_1'],
        ['seen', 'part_of'],
        ['part_of', 'part_of'],
      ] as const)
        expect(of(name)?.error?.message).toContain(`with AccessExclusiveLock on ${held} at the source`);
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
});

describe('a state file that cannot be read', () => {
  const NAMES = ['a', 'b', 'c'];
  const options: PairOfThree = { tables: NAMES.map((name) => ({ ...KEYED, name })) };
  const make = async ({ hasRow = false } = {}) => {
    const pair = await freshPair({
      ...options,
      sourceSql: NAMES.map(
        (name) =>
          `CREATE TABLE ${name} (id int PRIMARY KEY, updated_at timestamptz DEFAULT now()); INSERT INTO ${name} VALUES (1)`,
      ).join(';'),
    });
    expect((await trySync(pair)).exitCode).toBe(0);
    for (const name of NAMES) await pair.source.query(`INSERT INTO ${name} VALUES (2)`);
    if (!hasRow) await pair.destination.query(`DELETE FROM _increp_state WHERE table_name = 'b'`);
    return {
      pair,
      path: await blockedFile(pair, 'b'),
      [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose](),
    };
  };

  test('keeps nothing of the others from any command, and is named', async () => {
    await using made = await make();
    const { pair, path } = made;
    expect(await errorsOf(pair)).toMatchObject([
      { table: 'b', code: 'STATE_NOT_WRITABLE', message: expect.stringContaining(path) },
    ]);
    const plan = await told('plan', pair);
    expect(plan.names).toEqual(NAMES);
    expect(plan.of('b')?.error?.code).toBe('STATE_NOT_WRITABLE');
    expect(plan.of('c')).toMatchObject({ action: 'incremental', error: null });
    const { exitCode, summary, table } = await trySync(pair);
    expect(exitCode).toBe(3);
    expect(summary.tables.map(({ name }) => name)).toEqual(NAMES);
    expect(table('b').error).toMatchObject({ code: 'STATE_NOT_WRITABLE' });
    expect(table('a')).toMatchObject({ rows_inserted: 1 });
    expect(table('c')).toMatchObject({ rows_inserted: 1 });
    const verify = await told('verify', pair);
    expect(verify.of('b')?.error?.code).toBe('STATE_NOT_WRITABLE');
    expect(verify.of('c')).toMatchObject({ status: 'equal' });
    const status = await told('status', pair);
    expect(status.of('b')).toMatchObject({ unknown: { code: 'STATE_NOT_WRITABLE' } });
    expect(status.of('c')).toMatchObject({ state: 'ok', unknown: null });
    expect((await told('status --local', pair)).names).toEqual(NAMES);
  });

  test('is found in the middle of a run, whose other tables are synced', async () => {
    await using made = await make();
    const { exitCode, table } = await trySync(made.pair, '', { timing: { factsMaxAge: 0 } });
    expect(exitCode).toBe(3);
    expect(table('b').error).toMatchObject({ code: 'STATE_NOT_WRITABLE' });
    expect(table('c')).toMatchObject({ status: 'ok', rows_inserted: 1 });
  });

  slowTest('is replaced where the destination has the state row, with a warning', async () => {
    await using made = await make({ hasRow: true });
    const { pair, path } = made;
    expect(await errorsOf(pair)).toEqual([]);
    const { exitCode, table } = await trySync(pair);
    expect(exitCode).toBe(0);
    expect(table('b')).toMatchObject({
      action: 'incremental',
      rows_inserted: 1,
      warnings: [
        expect.stringContaining(
          `increp ignores the state file in ${dirname(path)}, because it is a directory, not a file`,
        ),
        expect.stringMatching(/^the state file was renamed to b\.json\.unreadable-/),
      ],
    });
    expect((await stat(path)).isFile()).toBe(true);
    expect((await trySync(pair)).table('b').warnings).toEqual([]);
  });

  test('of a pattern leaves the other tables that are remembered', async () => {
    await using made = await make();
    await made.pair.writeTables([{ ...KEYED, name: '*' }]);
    const { names } = await told('status --local', made.pair);
    expect(names).toEqual(['a', 'c']);
  });
});

type PairOfThree = Parameters<typeof freshPair>[0] & object;

/** Puts a folder in the place of a table's state file. */
async function blockedFile(pair: Pair, table: string): Promise<string> {
  const directory = join(pair.directory, 'sync-state');
  const name = (await readdir(directory)).find((each) => each.startsWith(table));
  if (name === undefined) throw new Error(`there is no state file of ${table}`);
  const path = join(directory, name);
  await rm(path);
  await mkdir(path);
  return path;
}

test('a schema of the destination in which nothing can be made fails its own tables only', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [
      { ...ORDERS_CONFIG, dest_schema: 'taken', dest_name: 'o' },
      { ...KEYED, name: 'fine' },
    ],
    destinationSql: 'CREATE SCHEMA taken; CREATE TYPE taken._increp_state AS ENUM ()',
  });
  const { user } = pair.login('source', 'increp');
  await pair.source.query(
    `CREATE TABLE fine (id int PRIMARY KEY, updated_at timestamptz DEFAULT now()); GRANT SELECT ON fine TO ${user}`,
  );
  const { exitCode, table } = await trySync(pair);
  expect(table('fine')).toMatchObject({ status: 'ok' });
  expect(exitCode).toBe(3);
  expect(table('orders').error?.message).toMatch(/_increp_state/);
});

test('a table that is dropped while the catalog is read is not there', async () => {
  await using pair = await freshPair('orders');
  await pair.source.query('CREATE TABLE doomed (id int)');
  const client = new Client(pair.sourceUrl());
  await client.connect();
  try {
    // A snapshot goes on showing what is gone, which the functions that tell privileges do not.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
    await pair.source.query('DROP TABLE doomed');
    const wanted = ['doomed', 'orders'].map((table) => ({ schema: 'public', table }));
    const found = await describeTables(client, wanted);
    expect([...found.values()].map(({ name }) => name.table)).toEqual(['orders']);
  } finally {
    await client.end();
  }
});

slowTest('tables that come and go while every command looks end none of them as a bug', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [ORDERS_CONFIG, { name: 'tmp_*', mode: 'full-refresh' }],
  });
  const { user } = pair.login('source', 'increp');
  await pair.source.query(`ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${user}`);
  let isOver = false;
  const writer = (async () => {
    for (let index = 0; !isOver; index += 1)
      await pair.source
        .query(`CREATE TABLE tmp_${index} (id int)`)
        .then(() => pair.source.query(`DROP TABLE tmp_${index}`));
  })();
  try {
    for (const command of ['check', 'plan', 'sync', 'status', 'verify', 'check', 'plan', 'sync']) {
      const { exitCode, stderr, stdout } = await increp(command, pair);
      expect(exitCode, `${command}: ${stdout}${stderr}`).not.toBe(70);
    }
    await insertOrders(pair, 1);
  } finally {
    isOver = true;
    await writer;
  }
});
