/** What `config` prints of many tables. */
import { expect, test } from 'vitest';
import { formatEffective } from '../../../src/report/config.ts';

const table = (name: string, lookback: string, from: string) => ({
  name,
  options: [
    { name: 'replication_key', value: 'updated_at', from: 'defaults' },
    { name: 'dest_name', value: name, from: 'built in' },
    { name: 'lookback', value: lookback, from },
    { name: 'deletes', value: 'ignore', from: 'built in' },
    { name: 'chunk', value: null, from: 'built in' },
  ],
});

const printed = (
  tables: readonly ReturnType<typeof table>[],
  settings: readonly { name: string; value: string; from: string }[] = [],
) =>
  formatEffective(
    {
      version: '1',
      directory: '/p',
      files: [],
      settings,
      destinations: [],
      tables,
      warnings: [],
      notes: [],
    },
    { color: false, width: Infinity, isUnicode: true },
  ).split('\n\n');

test('built-in options that all tables share, and tables with the same options, are printed once', () => {
  expect(
    printed([table('a', '10s', 'built in'), table('b', '1m', 'the table'), table('c', '10s', 'built in')]),
  ).toEqual([
    'increp 1\ndirectory  /p',
    'Tables a, c (2)\n  replication_key  "updated_at"  defaults\n  built in: lookback "10s"',
    'Table b\n  replication_key  "updated_at"  defaults\n  lookback         "1m"          the table',
    'All 3 tables\n  built in: dest_name (the name of the table), deletes "ignore"',
    'Settings\n',
  ]);
});

test('one table alone has all its options below its name', () => {
  expect(printed([table('a', '10s', 'built in')])[1]).toBe(
    'Table a\n  replication_key  "updated_at"  defaults\n  built in: dest_name (the name of the table), lookback "10s", deletes "ignore"',
  );
});

test('a value that is too long for the page stays whole, and its origin follows on the next line', () => {
  const long = `/${'x'.repeat(70)}`;
  expect(
    printed(
      [],
      [
        { name: 'SOURCE_HOST', value: 'db.example.com', from: 'the environment' },
        { name: 'SOURCE_SSLROOTCERT', value: long, from: '.env' },
      ],
    )[1],
  ).toBe(
    [
      'Settings',
      `  SOURCE_HOST         ${'db.example.com'.padEnd(43)}the environment`,
      `  SOURCE_SSLROOTCERT  ${long}`,
      `${' '.repeat(65)}.env`,
      '',
    ].join('\n'),
  );
});
