/** Joins on keys in which NULLs are equal: the same pairs as IS NOT DISTINCT FROM, and the work of a join that is hashed. */
import type { PoolClient } from 'pg';
import { expect, test } from 'vitest';
import type { Column } from '../../src/schema/columns.ts';
import { dropDuplicates } from '../../src/sql/duplicates.ts';
import { countWithout } from '../../src/sql/gone-rows.ts';
import { BY_INDEX, mergePasses, replaceStatements, type Merge } from '../../src/sql/merge.ts';
import { deletedMark } from '../../src/sql/metadata-columns.ts';
import { isNull, nullSafeMatch } from '../../src/sql/null-safe-match.ts';
import { deleteKeys } from '../../src/sql/removal.ts';
import { carryExtraColumns } from '../../src/sql/reshape.ts';
import { textOf } from '../../src/sql/search-path.ts';
import { selectWindow } from '../../src/sql/window.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { sync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

/** Values that are equal but print differently, and values that only seem equal. */
const TYPES: readonly { readonly type: string; readonly values: readonly string[] }[] = [
  { type: 'numeric', values: ['1.0', '1.00', 'NaN', '0', '-1'] },
  { type: 'float8', values: ['0', '-0', 'NaN', 'Infinity'] },
  { type: 'text COLLATE folded', values: ['a', 'A', '', 'b'] },
  { type: 'character(4)', values: ['a', 'a  ', '', 'A'] },
  { type: 'pair', values: ['(,)', '(1,)', '(1.0,2)', '(1.00,2)'] },
  { type: 'integer[]', values: ['{}', '{1}', '[0:0]={1}', '{NULL}', '{{1},{2}}'] },
  { type: 'jsonb', values: ['1.0', '1.00', 'null', '{"a":1,"b":2}', '{"b":2,"a":1}', '[]'] },
  { type: 'interval', values: ['24:00', '1 day', '30 days', '1 mon'] },
  { type: 'money', values: ['1', '2'] },
  { type: 'bit(3)', values: ['101', '111'] },
  { type: 'tsvector', values: ['a b', 'b a', ''] },
  { type: 'mood', values: ['good', 'bad'] },
  { type: 'evens', values: ['{2}', '{}'] },
  { type: 'int4range', values: ['[1,3)', '[1,2]', 'empty'] },
  { type: '"char"', values: ['', 'a'] },
];

const MADE = `
  CREATE TYPE pair AS (x numeric, y int); CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN evens AS int[];
  CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`;

const NAMES = ['a', 'b', 'c'];
const matchOf = (names: readonly string[], rows: 'all' | 'with NULL') =>
  nullSafeMatch(
    names.map((name) => ({ left: `t.${name}`, right: `s.${name}`, isNullable: true })),
    rows,
  );

const PLANS = ['hashjoin', 'mergejoin', 'nestloop'];

const JOINS = [1, 2, 3].flatMap((columns) =>
  (['all', 'with NULL'] as const).map((rows) => ({ columns, rows })),
);

test.for(oneIn(5, JOINS))(
  'a key of $columns columns joins $rows rows like IS NOT DISTINCT FROM, in every plan',
  async ({ columns, rows }) => {
    await using pair = await freshPair();
    const client = await pair.destination.connect();
    await client.query(MADE);
    const names = NAMES.slice(0, columns);
    const same = names.map((name) => `t.${name} IS NOT DISTINCT FROM s.${name}`).join(' AND ');
    const hasNull = names.map((name) => isNull(`t.${name}`)).join(' OR ');
    const wanted = rows === 'all' ? same : `${same} AND (${hasNull})`;
    for (const [place, { type }] of TYPES.entries()) {
      // The other columns have the next types.
      const kinds = names.map((_, step) => TYPES[(place + step * 4) % TYPES.length] ?? { type, values: [] });
      const list = names.map((name, step) => `${name} ${kinds[step]?.type}`).join(', ');
      const items = kinds.map(
        (kind, step) =>
          `(SELECT v::${kind.type.replace(/ COLLATE.*/, '')} FROM unnest($${step + 1}::text[]) v) v${step}`,
      );
      await client.query('BEGIN');
      for (const table of ['t', 's']) {
        await client.query(`CREATE TABLE ${table} (${list})`);
        await client.query(
          `INSERT INTO ${table} SELECT * FROM ${items.join(', ')}`,
          kinds.map(({ values }) => [null, ...values.slice(0, 4)]),
        );
      }
      await client.query(`CREATE INDEX ON t (${names.join(', ')}); ANALYZE t; ANALYZE s`);
      const pairs = async (condition: string) => {
        const found = await client.query<{ pair: string }>(
          `SELECT t.ctid || ' ' || s.ctid AS pair FROM t, s WHERE ${condition} ORDER BY 1`,
        );
        return found.rows.map((row) => row.pair);
      };
      const expected = await pairs(wanted);
      for (const plan of PLANS) {
        for (const each of PLANS) await client.query(`SET LOCAL enable_${each} = ${each === plan}`);
        await client.query(`SET LOCAL enable_seqscan = ${plan !== 'nestloop'}`);
        const match = matchOf(names, rows);
        expect(await pairs(match), `${list} by ${plan}`).toEqual(expected);
      }
      await client.query('ROLLBACK');
    }
    client.release();
  },
);

const ROWS = 2000;
const table = { schema: 'public', table: 't' };
const staging = { schema: 'public', table: 't_stg' };

const mergeFor = (nullableKey: readonly string[]): Merge => ({
  destination: table,
  staging,
  columns: ['id', ...nullableKey, 'note'],
  mergeKey: [...nullableKey, 'id'],
  replicationKey: 'id',
  nullableKey: [...nullableKey, 'id'],
  hasSameColumns: false,
  metadataColumns: [],
  yieldsToNewer: true,
  fixed: [],
  kept: [],
  canMerge: true,
});

const column = (name: string, type: string): Column => ({
  ...{ name, type, position: 1, typeDetail: null, isNotNull: false, collation: null },
  ...{ base: { type, isBuiltIn: true, isArray: false, element: null }, generated: '', identity: '' },
});

/** Every statement that joins by a key, as increp builds it. */
function statementsFor(nullable: readonly string[], version: number): Readonly<Record<string, string>> {
  const merge = mergeFor(nullable);
  const [, withNull] = mergePasses(merge);
  const key = merge.mergeKey.map((name) => ({
    ...{ name, type: name === 'id' ? 'int' : 'text', isComparedAsText: false, isNullable: true },
    ...{ isNotNull: false, hasSameType: true, isBuiltIn: true },
  }));
  const keys = `(SELECT pg_catalog.array_agg(pg_catalog.json_build_array(${merge.mergeKey.join(', ')})::text) FROM t_stg)`;
  const window = {
    replicationKey: 'note',
    keyType: 'integer',
    lookbackSeconds: 0,
    nullKeys: 'warn',
  } as const;
  return {
    update: withNull?.update ?? '',
    insert: withNull?.insert ?? '',
    remove: withNull?.remove ?? '',
    countNewer: withNull?.countNewer ?? '',
    ...(version >= 150000 && { merge: withNull?.merge ?? '' }),
    replace: replaceStatements(merge, [], 'differing')[1] ?? '',
    deleteKeys: deleteKeys({ table, key, metadataColumns: [deletedMark] }, ['KEYS']).replace(
      `ARRAY['KEYS']::text[]`,
      keys,
    ),
    countWithout: countWithout({ table, staging, key, where: [] }).withNull ?? '',
    duplicates: dropDuplicates(merge, true),
    carried: textOf(carryExtraColumns(table, staging, ['note'], key)),
    sharing: selectWindow(table, [column('id', 'int')], { ...window, from: '9', sharing: key }),
  };
}

interface PlanNode {
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Join Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** All rows that any part of the plan looked at. */
const workOf = (node: PlanNode): number =>
  (node['Actual Rows'] +
    (node['Rows Removed by Filter'] ?? 0) +
    (node['Rows Removed by Join Filter'] ?? 0) +
    (node['Rows Removed by Index Recheck'] ?? 0)) *
    node['Actual Loops'] +
  (node.Plans ?? []).map(workOf).reduce((sum, work) => sum + work, 0);

async function measure(client: PoolClient, statement: string): Promise<number> {
  await client.query('BEGIN');
  try {
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${statement}`,
    );
    const [plan] = rows[0]?.['QUERY PLAN'] ?? [];
    return plan ? workOf(plan.Plan) : Number.NaN;
  } finally {
    await client.query('ROLLBACK');
  }
}

test.for(
  oneIn(4, [[], ['a'], ['a', 'b'], ['a', 'b', 'c']]).map((nullable) => ({
    nullable,
    key: [...nullable, 'id'].join(),
  })),
)(
  'with NULLs in the key, no statement compares every row with every other: $key',
  async ({ nullable, key }) => {
    await using pair = await freshPair();
    const client = await pair.destination.connect();
    // All rows share the NULL or the value of the first columns, so only the whole key tells them apart.
    await client.query(`
      CREATE TABLE t (id int, a text, b text, c text, note int, _deleted_at timestamptz); CREATE TABLE t_stg (LIKE t);
      INSERT INTO t SELECT nullif(i, 5), NULL, CASE WHEN i % 2 = 0 THEN 'x' END, nullif(i % 3, 0)::text, i FROM generate_series(1, ${ROWS}) i;
      INSERT INTO t_stg SELECT id, a, b, c, CASE WHEN id < 100 THEN NULL ELSE note + 1 END FROM t WHERE note > 50;
      CREATE UNIQUE INDEX ON t (${key}); ANALYZE t; ANALYZE t_stg`);
    const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
    const statements = statementsFor(nullable, Number(rows[0]?.server_version_num));
    for (const [name, statement] of Object.entries(statements))
      expect(await measure(client, statement), name).toBeLessThan(40 * ROWS);
    client.release();
  },
);

test('a small window finds rows with a NULL in their key by the index', async () => {
  await using pair = await freshPair();
  const client = await pair.destination.connect();
  await client.query(`
    CREATE TABLE t (id int, a text, b text, note int); CREATE TABLE t_stg (LIKE t);
    INSERT INTO t SELECT i, NULL, CASE WHEN i % 2 = 0 THEN 'x' END, i FROM generate_series(1, ${ROWS * 5}) i;
    INSERT INTO t_stg SELECT id, a, b, note + 1 FROM t WHERE id <= 20;
    CREATE UNIQUE INDEX ON t (a, b, id); ANALYZE t; ANALYZE t_stg`);
  const [, withNull] = mergePasses(mergeFor(['a', 'b']));
  expect(withNull?.isIndexed).toBe(true);
  for (const setting of BY_INDEX) await client.query(setting.replace('LOCAL ', ''));
  for (const statement of [withNull?.update, withNull?.insert])
    expect(await measure(client, statement ?? '')).toBeLessThan(40 * 20);
  await client.query('RESET ALL');
  client.release();
});

const KEYS: readonly { readonly key: readonly string[]; readonly types: 'text' | 'native' }[] = [
  { key: ['n'], types: 'text' },
  { key: ['p', 'id'], types: 'native' },
  { key: ['l', 'n', 'p'], types: 'native' },
];

test.for(oneIn(4, KEYS))(
  'rows of a view with NULLs in the key $key arrive, change and go (types: $types)',
  async ({ key, types }) => {
    await using pair = await freshPair({
      sourceSql: `CREATE TYPE pair AS (x numeric, y int);
        CREATE TABLE base (id int, n numeric, p pair, l int[], note text, at timestamptz DEFAULT now());
        CREATE VIEW items AS SELECT * FROM base`,
      destinationSql: 'CREATE TYPE pair AS (x numeric, y int)',
      tables: [
        {
          name: 'items',
          replication_key: 'at',
          unique_cols: [...key],
          deletes: 'hard',
          types,
          lookback: '1h',
        },
      ],
    });
    await pair.source.query(`INSERT INTO base VALUES (1, 1.0, '(1,)', '{}', 'x'), (2, NULL, '(,)', NULL, 'x'),
      (3, 2.50, NULL, '{1}', 'x'), (NULL, 3, '(2,2)', '[0:0]={1}', 'x')`);
    await sync(pair);
    await expectSameRows(pair, 'items');
    await pair.source.query(`UPDATE base SET note = 'y', at = now(), n = n + 0.00`);
    expect((await sync(pair)).table()).toMatchObject({ rows_inserted: 0, rows_updated: 4 });
    await expectSameRows(pair, 'items');
    await pair.source.query(
      `DELETE FROM base WHERE id = 2 OR id IS NULL; INSERT INTO base (id, n) VALUES (4, 4)`,
    );
    expect((await sync(pair, '--deletes --force')).table()).toMatchObject({
      rows_deleted: 2,
      rows_inserted: 1,
    });
    await expectSameRows(pair, 'items');
    await pair.source.query(
      `DELETE FROM base WHERE id = 1; UPDATE base SET note = 'z', at = at - interval '1 day' WHERE id = 3`,
    );
    await sync(pair, '--full-refresh --force');
    await expectSameRows(pair, 'items');
    await pair.destination.query(`DELETE FROM items WHERE id = 3`);
    expect((await increp('verify items --repair', pair)).exitCode).toBe(0);
    await expectSameRows(pair, 'items');
  },
);
