import { expect, test } from 'vitest';
import { formatFindings } from '../../../src/report/findings.ts';
import { displayWidth, wrapped } from '../../../src/report/text.ts';

const narrow = { color: false, width: 80, isUnicode: true };
const finding = (
  level: 'error' | 'warning' | 'note',
  code: string,
  table: string | undefined,
  message: string,
  action?: string,
) => ({ level, code, table, message, action });

const FOUND = [
  finding(
    'note',
    'SERVER_INFO',
    undefined,
    'source: PostgreSQL 17.2, TLSv1.3; destination: PostgreSQL 16.4, no TLS',
  ),
  finding('warning', 'DRIFT', 'customers', 'column "extra" is new', 'The next sync loads the table again.'),
  finding('note', 'LOCAL_TIME', 'orders', '"at" has no time zone'),
  finding(
    'error',
    'PRIVILEGE_MISSING',
    'orders',
    'role "a role with a long name" may not read public.orders',
    'At the source, run: GRANT SELECT ON "public"."orders" TO "a role with a long name"',
  ),
];

const error = (table: string | undefined) =>
  ({ level: 'error', code: 'PRIVILEGE_MISSING', table, message: 'no', action: undefined }) as const;

test.each([
  [[error('a'), error('a')], 20, '2 errors, 0 warnings: sync would fail for 1 of 20 tables.'],
  [[error('a'), error('b')], 2, '2 errors, 0 warnings: sync would fail.'],
  [[error('a'), error(undefined)], 20, '2 errors, 0 warnings: sync would fail.'],
  [
    [{ ...error(undefined), stopsSync: false }, error('a')],
    20,
    '2 errors, 0 warnings: sync would fail for 1 of 20 tables.',
  ],
] as const)('the last line says how many tables would fail', (findings, tables, line) => {
  expect(formatFindings(findings, narrow, { tables }).trimEnd().split('\n').at(-1)).toBe(line);
});

test('grouped by table, the worst last, and within 80 columns; a name in quotes is not broken', () => {
  const text = formatFindings(FOUND, narrow);
  expect(text).toBe(`the pipeline
  - note     source: PostgreSQL 17.2, TLSv1.3; destination: PostgreSQL 16.4, no
             TLS [SERVER_INFO]

customers
  ! warning  column "extra" is new [DRIFT]
    next: The next sync loads the table again.

orders
  - note     "at" has no time zone [LOCAL_TIME]
  x error    role "a role with a long name" may not read public.orders
             [PRIVILEGE_MISSING]
    next: At the source, run: GRANT SELECT ON "public"."orders"
          TO "a role with a long name"

1 error, 1 warning: sync would fail.
`);
});

test('colour adds to the words and takes no place; in a pipe nothing is broken', () => {
  const colored = formatFindings(FOUND, { ...narrow, color: true });
  // oxlint-disable-next-line no-control-regex
  expect(colored.replaceAll(/\u001b\[\d+m/g, '')).toBe(formatFindings(FOUND, narrow));
  const piped = formatFindings(FOUND, { ...narrow, width: Infinity });
  expect(piped).toContain(
    'next: At the source, run: GRANT SELECT ON "public"."orders" TO "a role with a long name"\n',
  );
});

test('what is true of many tables is said once, with their names', () => {
  const alike = Array.from({ length: 200 }, (_, index) =>
    finding('note', 'DISABLED', `t${index}`, 'it is disabled'),
  );
  expect(formatFindings(alike, narrow)).toBe(
    `200 tables: t0, t1, t2, t3, t4, t5, t6, t7, t8, t9 and 190 more
  - note     it is disabled [DISABLED]

0 errors, 0 warnings: no problems found.
`,
  );
  expect(formatFindings(alike.slice(0, 2), narrow)).toMatch(/^t0\n {2}- note {5}it is disabled .*\n\nt1\n/);
});

test('an error of the pipeline comes after the errors of tables', () => {
  expect(formatFindings([error(undefined), error('a')], narrow)).toMatch(
    /^a\n[^]*\nthe pipeline\n.*\n\n2 errors/,
  );
});

test('names that SQL must quote, and names that are words of the text, are in the same group', () => {
  const alike = ['t1', 'Größe', 'Odd Name', 'wei"rd.tbl', 'select', 'table'].map((name) =>
    finding(
      'warning',
      'KEY_NOT_INDEXED',
      name,
      'so each sync reads the whole table',
      `CREATE INDEX ON "public"."${name.replaceAll('"', '""')}"`,
    ),
  );
  expect(formatFindings(alike, narrow)).toMatch(
    /^6 tables: t1, Größe, "Odd Name", "wei""rd\.tbl", select, table\n/,
  );
});

test('an error that does not stop a sync is counted, and not taken for one that does', () => {
  const text = formatFindings(
    [{ ...finding('error', 'WEBHOOK_FAILED', undefined, 'no'), stopsSync: false }],
    narrow,
  );
  expect(text).toContain('1 error, 0 warnings: sync will work; fix the errors.');
});

test('a number stays with its unit, a point in time stays whole', () => {
  expect(wrapped('', 'about 1,921 rows, 30.7 kB', 0, { width: 12 })).toEqual([
    'about',
    '1,921 rows,',
    '30.7 kB',
  ]);
  expect(wrapped('', 'at 2026-11-21 13:26:01+00 now', 0, { width: 23 })).toEqual([
    'at',
    '2026-11-21 13:26:01+00',
    'now',
  ]);
});

test('a word that is longer than a line stays whole, and every line break of the text stays', () => {
  const name = 'x'.repeat(90);
  expect(wrapped('- ', `a ${name} b\nc d`, 2, { width: 40 })).toEqual(['- a', `  ${name}`, '  b', '  c d']);
  expect(wrapped('', 'あ'.repeat(3) + ' い', 1, { width: 7 }).map((line) => displayWidth(line))).toEqual([
    6, 3,
  ]);
  expect(wrapped('head: ', '', 4, { width: 80 })).toEqual(['head:']);
});

test('findings that differ only in the name of the table and in rows are printed once, with the first text', () => {
  const names = ['t1', 't2', 't3'];
  const text = formatFindings(
    names.map((name, index) =>
      finding(
        'warning',
        'STATE',
        name,
        `increp ignores sync-state/${name}.json: ${index} rows`,
        `Reset ${name}.`,
      ),
    ),
    { ...narrow, width: 200 },
  );
  expect(text).toBe(`3 tables: t1, t2, t3
  ! warning  increp ignores sync-state/t1.json: 0 rows [STATE]
    next: Reset t1.
    This is the text for t1. To see each, run "increp check -v".

0 errors, 3 warnings: sync will work; check the warnings.
`);
  const ports = names.map((name, index) => finding('warning', 'PORT', name, `port ${index}`));
  expect(formatFindings(ports, narrow)).toContain('port 2');
});

test('grants on several tables are one statement', () => {
  const denied = ['t1', 't2', 't3'].map((name) =>
    finding('error', 'PRIVILEGE_MISSING', name, `no right to ${name}`, `GRANT SELECT ON "${name}" TO "r"`),
  );
  expect(formatFindings(denied, narrow)).toContain(`3 tables: t1, t2, t3
  x error    no right to t1 [PRIVILEGE_MISSING]
    next: GRANT SELECT ON "t1", "t2", "t3" TO "r"
`);
});

test('with -v, a problem of many tables is printed for each of them, with its statement', () => {
  const missing = ['t1', 't2', 't3'].map((name) =>
    finding('warning', 'KEY_NOT_INDEXED', name, `no index of ${name}`, `CREATE INDEX ON ${name}`),
  );
  expect(formatFindings(missing, narrow)).toContain(
    'This is the text for t1. To see each, run "increp check -v".',
  );
  const all = formatFindings(missing, narrow, { isVerbose: true });
  expect(all.match(/next: CREATE INDEX ON t\d/g)).toHaveLength(3);
  expect(all).toContain('0 errors, 3 warnings');
});

test('what an earlier destination has printed is only counted, except with -v', () => {
  const both = FOUND.map((each) => ({ ...each, isTold: each.level !== 'error' }));
  expect(formatFindings(both, { ...narrow, width: Infinity }))
    .toBe(`1 warning, 2 notes as above (-v prints each)

orders
  x error    role "a role with a long name" may not read public.orders [PRIVILEGE_MISSING]
    next: At the source, run: GRANT SELECT ON "public"."orders" TO "a role with a long name"

1 error, 1 warning: sync would fail.
`);
  expect(formatFindings(both, narrow, { isVerbose: true })).toBe(
    formatFindings(FOUND, narrow, { isVerbose: true }),
  );
});
