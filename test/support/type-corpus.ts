/**
 * Every type that a column can have, with the values of it that are easily altered on the way. To add a value, add
 * it to its line; `test/db/type-corpus.test.ts` fails when a type of the server has no line.
 */

const ALL_BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')).join('');

const all = (...texts: string[]) => texts.map((text) => `'${text.replaceAll("'", "''")}'`);

/** Text that a COPY stream, a shell or a JSON parser would trip over, as SQL. */
const ODD_TEXT = [
  ...all('\\N', '\\.', '\\\\', '', ' ', 'NULL', '"', '{}', `it's`, '%s $1'),
  ...[`E'\\t'`, `E'\\r'`, `E'\\n'`, `E'\\r\\n\\\\.\\n'`, `E'\\x01\\x7f'`],
  ...[`U&'\\+01F600'`, `U&'\\FFFD\\200B'`, `U&'e\\0301'`, `repeat('long ', 20000)`],
];

/** A type and its values, as SQL. NULL is added to each, and arrays of them are made of them. */
export type CorpusLine = readonly [type: string, values: readonly string[]];

export const BUILT_IN: readonly CorpusLine[] = [
  ['boolean', all('t', 'f')],
  ['smallint', all('-32768', '0', '32767')],
  ['integer', all('-2147483648', '0', '2147483647')],
  ['bigint', all('-9223372036854775808', '0', '9223372036854775807')],
  ['oid', all('0', '4294967295')],
  ['numeric', [...all('NaN', 'Infinity', '-Infinity', '1e131071', '0', '0.000', '-1.10', '1.1'), '1e-16383']],
  ['numeric(10,3)', all('NaN', '1.5', '-9999999.999')],
  ['numeric(3,0)', all('999')],
  ['real', all('NaN', 'Infinity', '-Infinity', '-0', '1e-45', '3.4028235e38', '0.1', '1.17549435e-38')],
  [
    'double precision',
    all(
      ...['NaN', 'Infinity', '-Infinity', '-0', '5e-324', '2.2250738585072014e-308'],
      ...['1.7976931348623157e308', '0.1', '0.30000000000000004'],
    ),
  ],
  ['money', all('-92233720368547758.08', '92233720368547758.07', '0', '1.5')],
  ['text', ODD_TEXT],
  ['varchar', ODD_TEXT],
  ['varchar(5)', all('', 'abc  ', 'äöü€😀')],
  ['char(5)', all('', 'abc', 'äöü€😀')],
  ['bpchar', all('', 'abc  ')],
  ['"char"', [`'a'`, `''`, `(-56)::int::"char"`]],
  ['name', all('', 'x'.repeat(63))],
  ['refcursor', all('<unnamed portal 1>', '')],
  ['bytea', [`''`, `'\\x${ALL_BYTES}'`, `'\\x5c2e0a'`]],
  ['uuid', all('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff')],
  ['date', all('4713-01-01 BC', '0001-01-01', '2024-02-29', '5874897-12-31', 'infinity', '-infinity')],
  ['time', all('00:00:00', '24:00:00', '12:34:56.000001')],
  ['time(2)', all('12:34:56.99')],
  ['timetz', all('00:00:00+15:59:59', '24:00:00-15:59:59', '12:34:56.000001+05:45')],
  [
    'timestamp',
    all(
      ...['4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999', 'infinity', '-infinity'],
      ...['1969-12-31 23:59:59.999999', '2024-03-31 02:30:00'],
    ),
  ],
  [
    'timestamptz',
    all(
      ...['4713-01-01 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00', 'infinity', '-infinity'],
      ...['1900-01-01 00:00:00+00:19:32', '2024-02-29 12:00:00.000001+00'],
    ),
  ],
  ['timestamptz(3)', all('2024-02-29 12:00:00.123+00')],
  [
    'interval',
    all(
      ...['-178000000 years', '178000000 years', '1 mon -2 days +03:04:05.000001'],
      ...['-1 mon 2 days -00:00:00.000001', '0', '13 mons', '1 day -25:00:00'],
    ),
  ],
  ['interval day to second', all('3 days 04:05:06.789')],
  ['interval(0)', all('04:05:06')],
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
      '\n\n<a/>',
    ),
  ],
  ['int4range', all('empty', '(,)', '[1,5)', '(,7]', '[-2147483648,2147483647)')],
  ['int8range', all('empty', '[1,1]')],
  ['numrange', all('empty', '(1.10,2.00]', '[NaN,NaN]', '(-infinity,infinity)')],
  ['daterange', all('empty', '[2024-01-01,infinity)', '[2024-01-01,infinity]', '(,)')],
  ['tsrange', all('["2024-01-01 00:00:00.000001",infinity)', 'empty')],
  ['tstzrange', all('(-infinity,"2024-01-01 00:00:00+00"]', '(,)')],
  ['int4multirange', all('{}', '{[1,2),[5,9)}', '{(,)}')],
  ['int8multirange', all('{}', '{(,-5),[9223372036854775806,)}')],
  ['nummultirange', all('{}', '{[1.0,1.00],(2.10,3)}')],
  ['datemultirange', all('{}', '{[2024-01-01,2024-02-01),[2025-01-01,infinity)}')],
  ['tsmultirange', all('{}', '{["2024-01-01 00:00:00.000001","2024-01-02 00:00:00"]}')],
  ['tstzmultirange', all('{}', '{["2024-01-01 00:00:00+00","2024-01-02 00:00:00+00")}')],
  ['bit', [`B'1'`, `B'0'`]],
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
  ['gtsvector', []],
  ['pg_lsn', all('0/0', 'FFFFFFFF/FFFFFFFF')],
  ['xid', all('4294967295')],
  ['xid8', all('18446744073709551615')],
  ['cid', all('4294967295')],
  ['tid', all('(4294967295,65535)')],
  ['pg_snapshot', all('10:20:10,14,15')],
  ['txid_snapshot', all('10:20:10,14,15')],
  ['regclass', all('pg_class', '"Weird type"', '0')],
  ['regtype', all('integer', 'mood')],
  ['regproc', all('now')],
  ['regprocedure', all('abs(integer)')],
  ['regoper', all('pg_catalog.||/')],
  ['regoperator', all('+(integer,integer)')],
  ['regcollation', all('"C"')],
  ['regconfig', all('english')],
  ['regdictionary', all('simple')],
  ['regnamespace', all('public', 'other')],
  ['regrole', all('pg_monitor')],
  ['aclitem', all('=r/postgres')],
  ['oidvector', all('1 2 3', '')],
  ['int2vector', all('1 -2')],
  ['pg_node_tree', ['(SELECT ev_action FROM pg_rewrite LIMIT 1)']],
  ['pg_ndistinct', ['(SELECT stxdndistinct FROM pg_statistic_ext_data)']],
  ['pg_dependencies', ['(SELECT stxddependencies FROM pg_statistic_ext_data)']],
  ['pg_mcv_list', ['(SELECT stxdmcv FROM pg_statistic_ext_data)']],
  ['pg_brin_bloom_summary', []],
  ['pg_brin_minmax_multi_summary', []],
];

export const USER_DEFINED: readonly CorpusLine[] = [
  ['mood', all('sad', `it's "so"`, '', 'a,b', '{x}', 'NULL', '(', '\\')],
  ['other.mood', all('theirs')],
  ['positive', all('1', '99.50')],
  ['positives', all('{1,2.50}', '{}')],
  ['"Odd ""name"" 1.0"', all('ok')],
  ['deep', [`ROW(7, ROW(1, 'a,b', ARRAY['sad', 'it''s "so"']::mood[])::pair)`, `ROW(NULL, NULL)`]],
  ['pair', all('(1,x,{})', '(,"",)', '(2," a\tb ","{sad,NULL}")')],
  ['floatrange', all('[1.5,2.5]', 'empty')],
  ['floatmultirange', all('{[1.5,2.5]}')],
  ['measured', all('(1,2)', '(,)')],
  ['day', all('2024-02-29', 'infinity')],
];

/** By extension; each is tried where the server offers it. Types without values are keys of indexes, with no input. */
export const EXTENSIONS: Readonly<Record<string, readonly CorpusLine[]>> = {
  btree_gist: [
    ['gbtreekey2', []],
    ['gbtreekey4', []],
    ['gbtreekey8', []],
    ['gbtreekey16', []],
    ['gbtreekey32', []],
    ['gbtreekey_var', []],
  ],
  citext: [
    ['citext', all('Straße', 'STRASSE', 'a', 'A', '')],
    ['shout', all('LOUD', 'Loud', '')],
  ],
  cube: [['cube', all('(1,2),(3,4)', '(1.1)', '()')]],
  dblink: [['dblink_pkey_results', all('(1,id)')]],
  earthdistance: [['earth', [`ll_to_earth(52.5, 13.4)`]]],
  hstore: [
    ['hstore', all('a=>1, "b c"=>NULL, "q\\""=>""', '')],
    ['ghstore', []],
  ],
  intarray: [
    ['query_int', all('1&(2|!3)')],
    ['intbig_gkey', []],
  ],
  isn: [
    ['isbn', all('0-393-04002-X', '978-0-393-04002-9')],
    ['isbn13', all('978-0-393-04002-9')],
    ['ismn', all('M-2306-7118-7')],
    ['ismn13', all('979-0-2306-7118-7')],
    ['issn', all('1436-4522')],
    ['issn13', all('977-1436-452-00-8')],
    ['ean13', all('220-0-356-48322-1', '220-0-356-48322-0!')],
    ['upc', all('220356483221')],
  ],
  lo: [['lo', all('0', '4294967295')]],
  ltree: [
    ['ltree', all('Top.Science', '')],
    ['lquery', all('*.a|b{1,2}')],
    ['ltxtquery', all('Europe & Russia*@ & !Transportation')],
    ['ltree_gist', []],
  ],
  pg_trgm: [['gtrgm', []]],
  seg: [['seg', all('1.0 .. 2.00', '~1.50', '5 ..', '1.5(+-)0.5')]],
  tablefunc: [
    ['tablefunc_crosstab_2', all('(a,b,)')],
    ['tablefunc_crosstab_3', all('(a,"b c",,"")')],
    ['tablefunc_crosstab_4', all('(,,,,)')],
  ],
};

/** What the lines need besides the extensions; run with the source's schema as search path. */
export const SETUP = /* sql */ `
  CREATE SCHEMA other; CREATE TYPE other.mood AS ENUM ('theirs');
  CREATE TYPE mood AS ENUM ('sad', 'it''s "so"', '', 'a,b', '{x}', 'NULL', '(', E'\\\\');
  CREATE TYPE "Odd ""name"" 1.0" AS ENUM ('ok');
  CREATE DOMAIN positive AS numeric(8,2) CHECK (VALUE > 0);
  CREATE DOMAIN positives AS positive[];
  CREATE DOMAIN day AS date;
  DO 'BEGIN IF to_regtype(''citext'') IS NOT NULL THEN CREATE DOMAIN shout AS citext; END IF; END';
  CREATE TYPE pair AS (n int, word text, moods mood[]);
  CREATE TYPE deep AS (n int, p pair);
  CREATE TYPE floatrange AS RANGE (subtype = float8);
  CREATE TABLE "Weird type" ();
  CREATE TABLE measured AS SELECT i % 3 AS a, i % 3 AS b FROM generate_series(1, 100) i;
  CREATE STATISTICS measured_stats ON a, b FROM measured; ANALYZE measured;`;
