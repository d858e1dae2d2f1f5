/** `types: "native"`: the statement of a refusal works when it is pasted, once; ranges that order their bounds otherwise are refused. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn } from '../support/tier.ts';

const tables = [{ name: 't', mode: 'full-refresh', types: 'native', unique_cols: ['id'] }];
const tableOf = (type: string, value = 'NULL') =>
  `CREATE TABLE t (id int PRIMARY KEY, v ${type}); INSERT INTO t VALUES (1, ${value})`;

const POSITIVE = 'CREATE DOMAIN pos AS int CHECK (value > 0)';
const MOOD = `CREATE TYPE mood AS ENUM ('sad', 'it''s')`;

const MISSING: readonly (readonly [what: string, sql: string])[] = [
  [
    'a domain over a domain',
    `CREATE DOMAIN a AS tsvector CHECK (value IS NOT NULL); CREATE DOMAIN b AS a CHECK (value <> ''::tsvector); ${tableOf('b', `'x'`)}`,
  ],
  [
    'composites in each other, of an enum, a domain and an array',
    `${MOOD}; ${POSITIVE}; CREATE TYPE inside AS (x pos, m mood[]); CREATE TYPE "Out ""side" AS ("a b" inside, n numeric(5,2)); ${tableOf('"Out ""side"[]')}`,
  ],
  [
    'a range over a domain',
    `${POSITIVE}; CREATE TYPE r AS RANGE (subtype = pos); ${tableOf('r', `'[1,3)'`)}`,
  ],
  [
    'a range over an enum',
    `${MOOD}; CREATE TYPE r AS RANGE (subtype = mood); ${tableOf('r', `'[sad,sad]'`)}`,
  ],
  [
    'a range with an operator class, and its multirange of another name',
    `CREATE TYPE r AS RANGE (subtype = text, subtype_opclass = text_pattern_ops, multirange_type_name = "Many r"); ${tableOf('"Many r"', `'{[a,b)}'`)}`,
  ],
  [
    'a range with a collation and a subtype_diff of its own',
    `CREATE FUNCTION far(text, text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT 1.0::float8 $$;
     CREATE TYPE r AS RANGE (subtype = text, collation = "C", subtype_diff = far); ${tableOf('r', `'[B,a)'`)}`,
  ],
  [
    'a domain whose check calls a function',
    `CREATE FUNCTION ok(text) RETURNS bool LANGUAGE sql IMMUTABLE AS $$ SELECT length($1) > 0 $$;
     CREATE FUNCTION fine(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
       RETURN $1 <> 'run: ; x'; END $$;
     CREATE DOMAIN d AS text CHECK (ok(value)) CHECK (fine(value)); ${tableOf('d', `'x'`)}`,
  ],
  [
    'two columns of different types, one in a schema that is missing',
    `CREATE SCHEMA odd; GRANT USAGE ON SCHEMA odd TO PUBLIC; CREATE TYPE odd.c AS (x int); CREATE TYPE e AS (y odd.c);
     CREATE TABLE t (id int PRIMARY KEY, v odd.c, w e, m tsmultirange)`,
  ],
];

test.each(oneIn(8, MISSING))('one paste makes %s', async (_, sourceSql) => {
  await using pair = await freshPair({ tables, sourceSql });
  const refused = await increp('check --json', pair);
  expect(refused.exitCode).toBe(78);
  const { findings } = JSON.parse(refused.stdout) as { findings: { code: string; action: string | null }[] };
  const advice = findings.find(({ code }) => code === 'TYPE_UNSUPPORTED')?.action ?? '';
  const statements = /run: ([^]*); or set "types"/.exec(advice)?.[1] ?? '';
  await pair.destination.query(statements);
  for (const type of ['TYPE', 'DOMAIN'])
    if (statements.includes(`CREATE ${type}`) && statements.includes('CREATE SCHEMA'))
      await pair.destination.query(`GRANT USAGE ON SCHEMA odd TO PUBLIC`);
  const checked = await increp('check', pair);
  expect(checked.exitCode, checked.stdout).toBe(0);
  await sync(pair);
  await expectSameRows(pair, 't');
  expect((await increp('verify', pair)).exitCode).toBe(0);
});

const range = (options: string) => `CREATE TYPE r AS RANGE (subtype = text, ${options})`;

test.each(
  oneIn(2, [
    ['collation', 'collation = "C"', 'subtype_opclass = text_ops'],
    ['collation', 'subtype_opclass = text_ops', 'collation = "C"'],
    ['operator class', 'subtype_opclass = text_ops', 'subtype_opclass = text_pattern_ops'],
    ['multirange', 'multirange_type_name = many', 'multirange_type_name = more'],
  ]),
)('a range of another %s is refused', async (what, source, destination) => {
  await using pair = await freshPair({ tables, sourceSql: `${range(source)}; ${tableOf('r', `'[a,b)'`)}` });
  await pair.destination.query(range(destination));
  const { exitCode, table } = await trySync(pair);
  expect(exitCode).toBe(1);
  expect(table().error).toMatchObject({
    code: 'TYPE_MISMATCH',
    message: expect.stringContaining(what) as string,
  });
});
