/** What may stand in `columns`, `exclude_columns`, `where`, `transform` and `query`, and what of it contradicts itself. */
import { describe, expect, test } from 'vitest';
import { pipelineDirectory, TABLE } from './pipeline-directory.ts';

const FILE = 'tables-config.json';

async function load(change: object) {
  await using pipeline = await pipelineDirectory({ [FILE]: JSON.stringify([{ ...TABLE, ...change }]) });
  return (await pipeline.load()).tables[0]?.selection;
}

async function problemOf(change: object) {
  await using pipeline = await pipelineDirectory({ [FILE]: JSON.stringify([{ ...TABLE, ...change }]) });
  const { message, code } = await pipeline.refusal();
  expect(code).toBe('CONFIG_INVALID');
  return message.split('\n').slice(1).join('\n');
}

test('all of it is kept as it was written', async () => {
  const where = "note <> '(;' -- not closed: (\n AND id > 0";
  expect(
    await load({
      columns: ['id', 'updated_at', 'note', 'x'],
      where,
      transform: { note: 'lower(note)', x: '1' },
      rename: { note: 'remark', id: 'id' },
    }),
  ).toEqual({
    columns: ['id', 'updated_at', 'note', 'x'],
    excludeColumns: [],
    where,
    transform: [
      { column: 'note', expression: 'lower(note)' },
      { column: 'x', expression: '1' },
    ],
    rename: [{ column: 'note', to: 'remark' }],
    query: null,
  });
  expect(await load({ query: 'SELECT 1; -- the end\n ;' })).toMatchObject({ query: 'SELECT 1' });
});

const NEITHER = 'an array of different column names, at least one';

test.each([
  [{ columns: [] }, '.columns', `[] is not allowed; allowed: ${NEITHER}`],
  [{ columns: 'id' }, '.columns', 'must be an array such as ["id"]'],
  [{ exclude_columns: ['a', 'a'] }, '.exclude_columns', `allowed: ${NEITHER}`],
  [{ where: '' }, '.where', '.where, line 1, column 1 (table orders): the text is empty'],
  [{ where: ' -- all' }, '.where', 'the text is empty'],
  [{ where: true }, '.where', 'true is not allowed; allowed: an SQL expression'],
  [{ where: 'true) OR (true' }, '.where', 'line 1, column 5 (table orders): ")" without "("'],
  [{ where: 'a = 1\n AND (b = 2' }, '.where', 'line 2, column 6 (table orders): "(" is not closed'],
  [{ where: "a = 'b" }, '.where', "line 1, column 5 (table orders): string is not terminated; missing '"],
  [
    { where: 'true; DROP TABLE orders' },
    '.where',
    'line 1, column 5 (table orders): only one expression or SELECT is allowed, without a semicolon',
  ],
  [{ transform: 'lower(a)' }, '.transform', 'allowed: an object of SQL expressions by column'],
  [{ transform: { note: 1 } }, '.transform.note', '1 is not allowed; allowed: an SQL expression'],
  [{ transform: { note: 'a /* b' } }, '.transform.note', 'comment is not terminated; missing */'],
  [{ transform: { '': '1' } }, '.transform', ''],
  [
    { query: 'SELECT 1; SELECT 2' },
    '.query',
    ', line 1, column 9 (table orders): only one expression or SELECT',
  ],
  [{ query: ';' }, '.query', 'the text is empty'],
])('%j is refused', async (change, path, what) => {
  const problem = await problemOf(change);
  expect(problem).toContain(`${FILE}, [0]${path}`);
  expect(problem).toContain(what);
});

describe('what contradicts itself', () => {
  test.each([
    [{ columns: ['id', 'updated_at'], exclude_columns: ['note'] }, 'exclude_columns', 'not both'],
    [{ exclude_columns: ['note'], transform: { note: '1' } }, 'transform.note', 'exclude_columns leaves'],
    [{ columns: ['id', 'updated_at'], transform: { x: '1' } }, 'transform.x', 'columns leaves'],
    [{ transform: { updated_at: 'now()' } }, 'transform.updated_at', 'cannot be transformed'],
    [{ transform: { ctid: '1' } }, 'transform.ctid', 'no table can have'],
    [{ rename: { note: 'xmin' } }, 'rename.note', 'no table can have'],
    [{ rename: { a: 'x', b: 'x' } }, 'rename.b', 'the column "a" already gets that name'],
    [{ exclude_columns: ['note'], rename: { note: 'x' } }, 'rename.note', 'exclude_columns leaves'],
    [{ columns: ['id', 'updated_at'], rename: { note: 'x' } }, 'rename.note', 'columns leaves'],
    [{ columns: ['id'] }, 'columns', 'the replication_key "updated_at" must be copied'],
    [{ exclude_columns: ['updated_at'] }, 'exclude_columns', '"updated_at" must be copied'],
    [{ columns: ['updated_at'] }, 'columns', '"id" of unique_cols must be copied'],
    [{ exclude_columns: ['id'] }, 'exclude_columns', '"id" of unique_cols must be copied'],
    [{ query: 'SELECT 1', where: 'true' }, 'where', 'change the query'],
    [{ query: 'SELECT 1', columns: ['a'] }, 'columns', 'change the query'],
    [{ query: 'SELECT 1', transform: { a: '1' } }, 'transform', 'change the query'],
    [{ query: 'SELECT 1', rename: { a: 'b' } }, 'rename', 'change the query'],
  ])('%j', async (change, key, what) => {
    const problem = await problemOf(change);
    expect(problem).toContain(`${FILE}, [0].${key} (table orders): `);
    expect(problem).toContain(what);
  });

  test('a transformed merge key does not', async () => {
    expect(await load({ transform: { id: 'id * 2' } })).toMatchObject({ transform: [{ column: 'id' }] });
  });
});

test('a query is nobody else’s default', async () => {
  const document = { defaults: { query: 'SELECT 1' }, tables: [TABLE] };
  await using pipeline = await pipelineDirectory({ [FILE]: JSON.stringify(document) });
  expect((await pipeline.refusal()).message).toContain('defaults.query: unknown key');
});
