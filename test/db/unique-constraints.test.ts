/** Unique and exclusion constraints that people put on a destination table. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const USERS = `
  CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE DEFERRABLE INITIALLY DEFERRED, span int4range,
    updated_at timestamptz NOT NULL DEFAULT now());
  INSERT INTO users SELECT i, 'mail' || i, int4range(i * 10, i * 10 + 10), now() - interval '1 day'
  FROM generate_series(1, 20) i`;

const users = (options: Readonly<Record<string, unknown>> = {}) =>
  freshPair({
    tables: [{ name: 'users', replication_key: 'updated_at', unique_cols: ['id'], ...options }],
    sourceSql: USERS,
  });

/** Two rows change values, a chain of others moves on, and a new row takes what an old one had. */
const SWAP = `
  UPDATE users u SET email = o.email, span = o.span, updated_at = now() FROM users o
    WHERE (u.id, o.id) IN ((1, 2), (2, 1), (3, 4), (4, 5));
  UPDATE users SET email = 'new5', span = NULL, updated_at = now() WHERE id = 5;
  INSERT INTO users VALUES (21, 'mail3', int4range(30, 40))`;

const CONSTRAINTS = [
  ['a unique index', 'CREATE UNIQUE INDEX users_email ON users (email)'],
  ['a unique constraint', 'ALTER TABLE users ADD CONSTRAINT users_email UNIQUE (email)'],
  ['one that is checked later', 'ALTER TABLE users ADD UNIQUE (email) DEFERRABLE INITIALLY DEFERRED'],
  ['one on an expression', 'CREATE UNIQUE INDEX ON users (lower(email)) WHERE id > 0'],
  ['an exclusion constraint', 'ALTER TABLE users ADD EXCLUDE USING gist (span WITH &&)'],
  [
    'two at once, on columns that are NOT NULL',
    `UPDATE users SET span = 'empty' WHERE span IS NULL; CREATE UNIQUE INDEX ON users (email);
     ALTER TABLE users ADD EXCLUDE USING gist (span WITH &&)`,
  ],
  [
    'a unique index, and a trigger that sees deleted rows',
    `CREATE UNIQUE INDEX users_email ON users (email); COMMENT ON INDEX users_email IS 'theirs';
     CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''deleted''; END';
     CREATE TRIGGER never AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION never()`,
  ],
  [
    'a unique index, and rows that refer to the table and would go with it',
    `CREATE UNIQUE INDEX users_email ON users (email);
     CREATE TABLE notes (user_id int REFERENCES users ON DELETE CASCADE); INSERT INTO notes SELECT id FROM users`,
  ],
  [
    'a unique index, and rows that refer to the table',
    `ALTER TABLE users ADD CONSTRAINT users_email UNIQUE (email);
     CREATE TABLE notes (user_id int REFERENCES users); INSERT INTO notes SELECT id FROM users`,
  ],
] as const;

const built = async (pair: Pair) =>
  (
    await pair.destination.query<{ name: string; definition: string; comment: string | null }>(
      `SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition,
         obj_description(i.indexrelid, 'pg_class') AS comment FROM pg_index i WHERE indrelid = 'users'::regclass ORDER BY 1`,
    )
  ).rows;

test.each(oneIn(12, CONSTRAINTS))('values move between rows under %s', async (_, statement) => {
  await using pair = await users();
  await sync(pair);
  await pair.destination.query(`${statement}; ALTER TABLE users ADD COLUMN theirs text DEFAULT 'kept'`);
  await pair.destination.query(`UPDATE users SET theirs = 'own' WHERE id = 1`);
  const before = await built(pair);
  await pair.source.query(SWAP);
  await sync(pair);
  await expectSameRows(pair, 'users');
  expect(await built(pair)).toEqual(before);
  const { rows } = await pair.destination.query(
    `SELECT id, theirs FROM users WHERE id IN (1, 2, 21) ORDER BY id`,
  );
  expect(rows).toEqual([
    { id: 1, theirs: 'own' },
    { id: 2, theirs: 'kept' },
    { id: 21, theirs: 'kept' },
  ]);
  if (statement.includes('notes'))
    expect((await pair.destination.query('SELECT FROM notes')).rowCount).toBe(20);
});

test.each(
  oneIn(3, [
    ['a load', 'sync --full-refresh', {}],
    ['a repair', 'verify --repair', {}],
    ['a full refresh', 'sync', { mode: 'full-refresh', replication_key: undefined }],
    ['a load in chunks', 'sync --full-refresh', { chunk: '5 rows', initial_load: 'copy' }],
    ['a sync that removes what is gone', 'sync', { deletes: 'hard' }],
    ['a sync where newer rows win', 'sync', { on_conflict: 'last_update_wins' }],
    ['a verified sync', 'sync --verify', {}],
    ['a table with a column of ours', 'sync', { metadata_columns: ['_synced_at'] }],
  ] as const),
)('values move between rows in %s', async (_, command, options) => {
  await using pair = await users(options);
  await sync(pair);
  await pair.destination.query('CREATE UNIQUE INDEX users_email ON users (email)');
  await pair.source.query(SWAP);
  const result = await increp(command, pair);
  expect(result.exitCode, result.stdout + result.stderr).toBe(0);
  // To a comparison, rows above the cursor are only newer.
  if (command.startsWith('verify')) await sync(pair);
  await expectSameRows(pair, 'users');
});

slowTest('values move between rows in a table that is taken over', async () => {
  await using pair = await users();
  await sync(pair);
  await pair.destination.query(
    'DROP TABLE _increp_state, _increp_runs; CREATE UNIQUE INDEX ON users (email)',
  );
  await rm(join(pair.directory, 'sync-state'), { recursive: true });
  await pair.source.query(SWAP);
  await sync(pair, 'users --adopt');
  await expectSameRows(pair, 'users');
});

const REUSED = `DELETE FROM users WHERE id = 2; INSERT INTO users VALUES (30, 'mail2', NULL)`;

test('the value of a row that is gone is used again: removals come first, whether they are due or not', async () => {
  await using pair = await users({ deletes: 'hard', deletes_every: '1d' });
  await sync(pair, '--deletes');
  await pair.destination.query('CREATE UNIQUE INDEX users_email ON users (email)');
  await pair.source.query(REUSED);
  const { table } = await sync(pair);
  expect(table()).toMatchObject({ rows_inserted: 1, rows_deleted: 1 });
  await expectSameRows(pair, 'users');
});

test('without deletes the error names the constraint, both rows and what to run, and that helps', async () => {
  await using pair = await users();
  await sync(pair);
  await pair.destination.query('CREATE UNIQUE INDEX users_email ON users (email)');
  await pair.source.query(REUSED);
  const { table } = await trySync(pair);
  expect(table().error).toMatchObject({
    code: 'CONSTRAINT_VIOLATED',
    sqlstate: '23505',
    message: expect.stringMatching(
      /unique index "users_email" of public\.users .*\(id\) = \(30\) of the source conflicts with the row \(id\) = \(2\)/,
    ),
    hint: expect.stringContaining(`DELETE FROM "public"."users" WHERE "id" = '2'`),
  });
  expect((await increp('verify --repair', pair)).exitCode).toBe(0);
  await sync(pair);
  await expectSameRows(pair, 'users');
});

slowTest('marked rows keep their values, and the error says how to leave them out', async () => {
  await using pair = await users({ deletes: 'soft', deletes_every: '0s' });
  await sync(pair);
  await pair.destination.query('CREATE UNIQUE INDEX users_email ON users (email)');
  await pair.source.query(REUSED);
  const { table } = await trySync(pair);
  expect(table().error?.hint).toContain('WHERE "_deleted_at" IS NULL');
  await pair.destination.query(
    `DROP INDEX users_email; CREATE UNIQUE INDEX users_email ON users (email) WHERE _deleted_at IS NULL`,
  );
  await sync(pair);
  await expectSameRows(pair, 'users', { where: `id <> 2`, sourceWhere: 'true' });
});

slowTest('values that the source does not keep unique are named with both rows', async () => {
  await using pair = await users();
  await sync(pair);
  await pair.destination.query('CREATE UNIQUE INDEX ON users (span)');
  await pair.source.query(`UPDATE users SET span = '[1,2)', updated_at = now() WHERE id IN (6, 7)`);
  const { table } = await trySync(pair);
  expect(table().error).toMatchObject({
    code: 'CONSTRAINT_VIOLATED',
    message: expect.stringMatching(
      /at the source both the row \(id\) = \([67]\) and the row \(id\) = \([67]\)/,
    ),
    hint: expect.stringContaining('DROP INDEX public.users_span_idx'),
  });
});

test('a check at the destination that refuses a row is named, with what to do', async () => {
  await using pair = await users();
  await sync(pair);
  await pair.destination.query('ALTER TABLE users ADD CONSTRAINT positive CHECK (id < 100)');
  await pair.source.query('INSERT INTO users VALUES (100)');
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'CONSTRAINT_VIOLATED',
    message: expect.stringContaining('positive') as unknown,
    hint: expect.stringContaining('drop the constraint at the destination') as unknown,
  });
  expect((await pair.destination.query('SELECT FROM users')).rowCount).toBe(20);
});
