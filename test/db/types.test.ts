/** Every kind of value, carried as it is: by both loaders, and by an incremental sync. */
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import { sync } from '../support/sync.ts';

const q = (text: string) => `'${text.replaceAll("'", "''")}'`;
const all = (...texts: string[]) => texts.map(q);
const ALL_BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')).join('');
const ODD_TEXT = [
  `'\\N'`,
  `'\\.'`,
  `'\\\\'`,
  `E'\\t'`,
  `E'\\r'`,
  `E'\\n'`,
  `E'\\r\\n\\\\.\\n'`,
  `E'\\x01\\x7f'`,
  `''`,
  `' '`,
  `'NULL'`,
  `'"'`,
  `'{}'`,
  `U&'\\+01F600'`,
  `U&'\\FFFD\\200B'`,
  `repeat('long ', 20000)`,
];

/** Type and values, as SQL; NULL is added to each, and arrays of them. */
const TYPES: readonly (readonly [type: string, values: readonly string[]])[] = [
  ['boolean', all('t', 'f')],
  ['smallint', all('-32768', '0', '32767')],
  ['integer', all('-2147483648', '0', '2147483647')],
  ['bigint', all('-9223372036854775808', '0', '9223372036854775807')],
  ['oid', all('0', '4294967295')],
  ['numeric', [...all('NaN', 'Infinity', '-Infinity', '1e131071', '0', '0.000', '-1.10', '1.1'), `1e-16383`]],
  ['numeric(10,3)', all('NaN', '1.5', '-9999999.999')],
  ['numeric(3,0)', all('999')],
  ['real', all('NaN', 'Infinity', '-Infinity', '-0', '1e-45', '3.4028235e38', '0.1', '1.17549435e-38')],
  [
    'double precision',
    all('NaN', '-Infinity', '-0', '5e-324', '1.7976931348623157e308', '0.1', '0.30000000000000004'),
  ],
  ['money', all('-92233720368547758.08', '92233720368547758.07', '0', '1.5')],
  ['text', ODD_TEXT],
  ['varchar', ODD_TEXT],
  ['varchar(5)', all('', 'abc  ', 'äöü€😀')],
  ['char(5)', all('', 'abc', 'äöü€😀')],
  ['bpchar', all('', 'abc  ')],
  ['"char"', [`'a'`, `''`, `(-56)::int::"char"`]],
  ['name', all('', 'x'.repeat(63))],
  ['bytea', [`''`, `'\\x${ALL_BYTES}'`, `'\\x5c2e0a'`]],
  ['uuid', all('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff')],
  ['date', all('4713-01-01 BC', '0001-01-01', '2024-02-29', '5874897-12-31', 'infinity', '-infinity')],
  ['time', all('00:00:00', '24:00:00', '12:34:56.000001')],
  ['time(2)', all('12:34:56.99')],
  ['timetz', all('00:00:00+15:59:59', '24:00:00-15:59:59', '12:34:56.000001+05:45')],
  [
    'timestamp',
    all(
      '4713-01-01 00:00:00 BC',
      '294276-12-31 23:59:59.999999',
      'infinity',
      '-infinity',
      '1969-12-31 23:59:59.999999',
      '2024-03-31 02:30:00',
    ),
  ],
  [
    'timestamptz',
    all(
      '4713-01-01 00:00:00+00 BC',
      '294276-12-31 23:59:59.999999+00',
      'infinity',
      '-infinity',
      '1900-01-01 00:00:00+00:19:32',
      '2024-02-29 12:00:00.000001+00',
    ),
  ],
  ['timestamptz(3)', all('2024-02-29 12:00:00.123+00')],
  [
    'interval',
    all(
      '-178000000 years',
      '1 mon -2 days +03:04:05.000001',
      '-1 mon 2 days -00:00:00.000001',
      '0',
      '178000000 years',
    ),
  ],
  ['interval day to second', all('3 days 04:05:06.789')],
  ['json', all('{"a": 1, "a":  2}', '"\\u0000"', 'null', '[1.0, 1.00, 1e400]', ' {"b":\n 1} ')],
  ['jsonb', all('{"b": 1, "a": {"c": [null, true]}}', 'null', '""', '1.00', '1e400', '"\\ud83d\\ude00"')],
  ['jsonpath', all('$.a[*] ? (@ > 1)', 'strict $')],
  [
    'xml',
    all(
      '<a b="1">x &amp; y</a>',
      '<a/>text<b/>',
      '<?xml version="1.0" encoding="UTF-8"?><ä/>',
      '',
      '<!DOCTYPE a><a/>'.slice(15),
    ),
  ],
  ['int4range', all('empty', '(,)', '[1,5)', '(,7]', '[-2147483648,2147483647)')],
  ['int8range', all('empty', '[1,1]')],
  ['numrange', all('empty', '(1.10,2.00]', '[NaN,NaN]', '(-infinity,infinity)')],
  ['daterange', all('empty', '[2024-01-01,infinity)', '[2024-01-01,infinity]', '(,)')],
  ['tsrange', all('["2024-01-01 00:00:00.000001",infinity)')],
  ['tstzrange', all('(-infinity,"2024-01-01 00:00:00+00"]')],
  ['int4multirange', all('{}', '{[1,2),[5,9)}', '{(,)}')],
  ['tstzmultirange', all('{["2024-01-01 00:00:00+00","2024-01-02 00:00:00+00")}')],
  ['bit(5)', [`B'00000'`, `B'10101'`]],
  ['bit varying', [`B''`, `B'101'`]],
  ['bit varying(4)', [`B'1010'`]],
  ['inet', all('0.0.0.0', '10.1.2.3/8', '::', 'fe80::1/64', '::ffff:1.2.3.4')],
  ['cidr', all('10.0.0.0/8', '::/0')],
  ['macaddr', all('08:00:2b:01:02:03')],
  ['macaddr8', all('08:00:2b:01:02:03:04:05')],
  ['point', all('(1.1,-0)', '(NaN,Infinity)')],
  ['line', all('{1,-1,0}')],
  ['lseg', all('[(0,0),(1e-300,1)]')],
  ['box', all('(2,2),(1,1)')],
  ['path', all('((0,0),(1,1))', '[(0,0),(1,1)]')],
  ['polygon', all('((0,0),(1,1),(2,0))')],
  ['circle', all('<(0,0),1.5>')],
  ['tsvector', all(`'a':1A,2 'it''s' 'back\\\\slash':3B`, '')],
  ['tsquery', all(`'a' & !'b':A <-> 'c d'`, '')],
  ['pg_lsn', all('0/0', 'FFFFFFFF/FFFFFFFF')],
  ['xid', all('4294967295')],
  ['xid8', all('18446744073709551615')],
  ['tid', all('(4294967295,65535)')],
  ['pg_snapshot', all('10:20:10,14,15')],
  ['regclass', all('pg_class', '"Weird type"', '0')],
  ['regtype', all('integer', 'mood')],
  ['regproc', all('now')],
  ['regrole', all('pg_monitor')],
  ['oidvector', all('1 2 3', '')],
  ['int2vector', all('1 -2')],
  ['mood', all('sad', `it's "so"`, '', 'a,b', '{x}', 'NULL')],
  ['other.mood', all('theirs')],
  ['positive', all('1', '99.50')],
  ['positives', all('{1,2.50}', '{}')],
  ['deep', [`ROW(7, ROW(1, 'a,b', ARRAY['sad', 'it''s "so"']::mood[])::pair)`, `ROW(NULL, NULL)`]],
  ['pair', all('(1,x,{})', '(,"",)', '(2," a\tb ","{sad,NULL}")')],
  ['floatrange', all('[1.5,2.5]', 'empty')],
  ['floatmultirange', all('{[1.5,2.5]}')],
  ['shout', all('LOUD', 'Loud', '')],
  ['hstore', all('a=>1, "b c"=>NULL, "q\\""=>""', '')],
  ['citext', all('Straße', 'STRASSE', 'a')],
  ['ltree', all('Top.Science', '')],
  ['lquery', all('*.a|b{1,2}')],
  ['cube', all('(1,2),(3,4)')],
  ['seg', all('1.0 .. 2.00')],
  ['isbn', all('978-0-393-04002-9')],
];

const SETUP = /* sql */ `
  CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION cube;
  CREATE EXTENSION seg; CREATE EXTENSION isn;
  CREATE SCHEMA other; CREATE TYPE other.mood AS ENUM ('theirs');
  CREATE TYPE mood AS ENUM ('sad', 'it''s "so"', '', 'a,b', '{x}', 'NULL');
  CREATE DOMAIN positive AS numeric(8,2) CHECK (VALUE > 0);
  CREATE DOMAIN positives AS positive[];
  CREATE DOMAIN shout AS citext;
  CREATE TYPE pair AS (n int, word text, moods mood[]);
  CREATE TYPE deep AS (n int, p pair);
  CREATE TYPE floatrange AS RANGE (subtype = float8);
  CREATE TABLE "Weird type" ();`;

/** Types whose arrays hold nothing that the types alone do not. */
const hasArray = (type: string) => !['positives', 'oidvector', 'int2vector'].includes(type);

function tableSql(name: string, type: string, values: readonly string[]): string {
  const list = [...values.map((value) => `(${value})::${type}`), `NULL::${type}`];
  const statements = [
    `CREATE TABLE ${name} (id serial PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now(), v ${type}${hasArray(type) ? `, a ${type}[]` : ''})`,
    ...list.map((value) => `INSERT INTO ${name} (v) VALUES (${value})`),
  ];
  if (!hasArray(type)) return statements.join(';\n');
  const flat = `ARRAY[${list.join(', ')}]::${type}[]`;
  const arrays = [
    `'{}'`,
    flat,
    `ARRAY[${flat}, ${flat}]`,
    `array_fill((${values[0]})::${type}, ARRAY[2, 1], ARRAY[-3, 5])`,
    `'{NULL}'`,
  ];
  return [...statements, ...arrays.map((array) => `INSERT INTO ${name} (a) VALUES (${array})`)].join(';\n');
}

const names = TYPES.map((_type, place) => `t${place}`);
const corpus = (prefix: string) =>
  TYPES.map(([type, values], place) => tableSql(`${prefix}${place}`, type, values)).join(';\n');

const config = (name: string, loader: string) => ({
  name,
  replication_key: 'changed',
  unique_cols: ['id'],
  initial_load: loader,
});

/** Some ninety tables, each with a dump of its own. */
const TIMEOUT = 180_000;

test.each(['pg_dump', 'copy'])(
  'every type survives a load by %s and an incremental sync',
  async (loader) => {
    await using pair = await freshPair({
      tables: names.map((name) => config(name, loader)),
      sourceSql: `${SETUP} ${corpus('t')}`,
    });
    const result = await sync(pair, '', { timeout: TIMEOUT });
    for (const [place, name] of names.entries()) {
      const [type] = TYPES[place] ?? ['?'];
      await expectSameRows(pair, name).catch((error: unknown) => {
        throw new Error(`${type} by ${result.table(name).loader}: ${String(error)}`, { cause: error });
      });
    }
    await pair.source.query(
      names
        .map(
          (
            name,
          ) => `INSERT INTO ${name} SELECT id + 1000, now(), v${hasA(name) ? ', a' : ''} FROM ${name} WHERE id < 1000;
          UPDATE ${name} SET v = NULL, changed = now() WHERE id = 1;
          UPDATE ${name} SET v = (SELECT v FROM ${name} WHERE id = 1001), changed = now() WHERE id = 2`,
        )
        .join(';'),
    );
    const second = await sync(pair, '', { timeout: TIMEOUT });
    for (const [place, name] of names.entries()) {
      const [type] = TYPES[place] ?? ['?'];
      expect(second.table(name).action, type).toBe('incremental');
      await expectSameRows(pair, name).catch((error: unknown) => {
        throw new Error(`${type}, incremental: ${String(error)}`, { cause: error });
      });
    }
    const third = await sync(pair, '', { timeout: TIMEOUT });
    for (const { name, rows_inserted: inserted, rows_updated: updated } of third.summary.tables) {
      expect({ name, inserted, updated }).toEqual({ name, inserted: 0, updated: 0 });
    }
  },
  TIMEOUT,
);

const hasA = (name: string) => hasArray(TYPES[Number(name.slice(1))]?.[0] ?? '');
