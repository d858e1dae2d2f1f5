/** `dropped_columns: "keep"`: a column that the source drops stays at the destination, with its values, through every load. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { ORDERS_CONFIG, ORDERS_SQL } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const KEEP = { ...ORDERS_CONFIG, initial_load: 'copy', dropped_columns: 'keep' };

/** Three orders with a column that the source has dropped since. */
async function withDropped(options: object = {}): Promise<Pair> {
  const pair = await freshPair({
    tables: [{ ...KEEP, ...options }],
    sourceSql: `${ORDERS_SQL}; ALTER TABLE orders ADD grade text NOT NULL DEFAULT 'A', ADD more int;
      INSERT INTO orders (id, grade) VALUES (1, 'A'), (2, 'B'), (3, 'C')`,
  });
  await sync(pair);
  await pair.source.query(
    `ALTER TABLE orders DROP grade; INSERT INTO orders (id) VALUES (4); DELETE FROM orders WHERE id = 3`,
  );
  return pair;
}

const gradesIn = async ({ destination }: Pair): Promise<string> =>
  (
    await destination.query<{ row: string }>(
      'SELECT id || coalesce(grade, $1) AS row FROM orders ORDER BY id',
      ['-'],
    )
  ).rows
    .map(({ row }) => row)
    .join(' ');

interface Way {
  readonly again?: (pair: Pair) => Promise<unknown>;
  readonly args?: string;
  readonly options?: object;
  readonly grades: string;
}

const WAYS: Readonly<Record<string, Way>> = {
  'a load, because columns differ': { grades: '1A 2B 4-' },
  'a change in place': { options: { on_schema_change: 'evolve' }, grades: '1A 2B 3C 4-' },
  'a reset before the change is seen': { again: (pair) => increp('reset orders', pair), grades: '1A 2B 4-' },
  'a full refresh': { args: '--full-refresh', grades: '1A 2B 4-' },
  'a load in chunks': { args: '--full-refresh', options: { chunk: '8kB' }, grades: '1A 2B 4-' },
  'an exchange of the tables': {
    again: ({ source }) => source.query('ALTER TABLE orders ALTER more TYPE text'),
    grades: '1A 2B 4-',
  },
  'rows that are kept': { options: { deletes: 'keep', dropped_columns: undefined }, grades: '1A 2B 3C 4-' },
  'rows that are marked': { options: { deletes: 'soft' }, grades: '1A 2B 3C 4-' },
  'mode full-refresh': {
    again: (pair) =>
      pair.writeTables([
        { name: 'orders', mode: 'full-refresh', unique_cols: ['id'], dropped_columns: 'keep' },
      ]),
    grades: '1A 2B 4-',
  },
};

for (const [name, { again, args = '', options = {}, grades }] of oneIn(6, Object.entries(WAYS)))
  test(`the values stay through ${name}, and new rows have none`, async () => {
    await using pair = await withDropped(options);
    await again?.(pair);
    const plan = await increp(`plan ${args}`, pair);
    expect(plan.stdout.replaceAll(/\s+/g, ' ')).toContain(
      'column "grade" stays with its values, although the source no longer has it',
    );
    await sync(pair, args);
    expect(await gradesIn(pair)).toBe(grades);
    expect((await increp('verify', pair)).exitCode).toBe(
      grades.includes('3') && !('deletes' in options) ? 2 : 0,
    );
    // From now on it is a column like one of the user.
    await pair.source.query(
      `INSERT INTO orders (id) VALUES (5); UPDATE orders SET total = 7, updated_at = now() WHERE id = 1`,
    );
    await sync(pair);
    await increp('reset orders', pair);
    await pair.source.query('ALTER TABLE orders ADD later int');
    await sync(pair);
    expect(await gradesIn(pair)).toBe(
      `${grades.replace(' 3C', options && 'deletes' in options ? ' 3C' : '')} 5-`,
    );
  });

slowTest(
  'a column that comes back is filled; with another type it is refused until it has another name',
  async () => {
    await using pair = await withDropped();
    await sync(pair);
    await pair.source.query(`ALTER TABLE orders ADD grade text; UPDATE orders SET grade = 'Z' WHERE id = 1`);
    await sync(pair);
    expect(await gradesIn(pair)).toBe('1Z 2- 4-');
    await pair.source.query('ALTER TABLE orders DROP grade');
    await sync(pair);
    await pair.source.query('ALTER TABLE orders ADD grade int DEFAULT 7');
    const { error } = (await trySync(pair)).table();
    expect(error?.code).toBe('SCHEMA_CHANGE_REFUSED');
    const statement = /ALTER TABLE .*? TO "grade_old"/.exec(error?.hint ?? '')?.[0] ?? '';
    await pair.destination.query(statement);
    await sync(pair);
    const { rows } = await pair.destination.query('SELECT id, grade, grade_old FROM orders WHERE id = 1');
    expect(rows).toEqual([{ id: '1', grade: 7, grade_old: 'Z' }]);
  },
);

slowTest('columns that are no longer selected stay too, and "drop" drops them from kept rows', async () => {
  await using pair = await withDropped({ deletes: 'keep', dropped_columns: 'drop' });
  await pair.writeTables([{ ...KEEP, deletes: 'keep', dropped_columns: 'drop', exclude_columns: ['more'] }]);
  await sync(pair);
  const { rows } = await pair.destination.query('SELECT * FROM orders WHERE id = 3');
  expect(Object.keys(rows[0] as object)).toEqual(['id', 'total', 'note', 'updated_at']);
  await pair.writeTables([{ ...KEEP, exclude_columns: ['note'] }]);
  await sync(pair);
  const kept = await pair.destination.query('SELECT note, more FROM orders');
  expect(kept.fields).toHaveLength(2);
});

test.each([
  ['a load', {}],
  ['a change in place', { on_schema_change: 'evolve' }],
])('a column that is not kept is named once, also in the mail of a quiet run: %s', async (_how, options) => {
  await using pair = await withDropped({ dropped_columns: 'drop', ...options });
  expect((await increp('plan', pair)).stdout).toContain(
    'removes: column "grade" with its values ("dropped_columns": "keep" keeps it)\n',
  );
  expect((await increp('check', pair)).stdout).toContain(
    'the next sync removes column "grade" with its values [COLUMN_REMOVED]',
  );
  const { stdout } = await increp('sync -q', pair);
  expect(stdout).toMatch(
    /warning: column "grade" was removed with its values, because increp copies nothing under that name now; "dropped_columns": "keep" keeps such columns/,
  );
  expect((await sync(pair)).table().warnings).toEqual([]);
});
