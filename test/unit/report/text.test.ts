import { styleText } from 'node:util';
import { expect, test } from 'vitest';
import { commands } from '../../../src/commands/program/registry.ts';
import { displayWidth, wrap, wrapInline, wrapLines } from '../../../src/report/text.ts';

test('lines break at spaces, and what goes on hangs under its beginning', () => {
  expect(wrap('error: the quick brown fox jumps', { width: 16 }, '       ')).toEqual([
    'error: the quick',
    '       brown fox',
    '       jumps',
  ]);
  expect(wrap('short', { width: 16 })).toEqual(['short']);
  expect(wrap('', { width: 16 })).toEqual(['']);
  expect(wrap('anything at all, however long it is', { width: Infinity })).toHaveLength(1);
});

test('a break that was there stays, and its line hangs as well', () => {
  expect(wrap('error: denied\nDETAIL: of course not', { width: 20 }, '  ')).toEqual([
    'error: denied',
    '  DETAIL: of course',
    '  not',
  ]);
});

test('a word that is alone too long stays whole, so that it can be copied', () => {
  expect(wrap('see /srv/pipelines/shop/sync-state please', { width: 12 }, '  ')).toEqual([
    'see',
    '  /srv/pipelines/shop/sync-state',
    '  please',
  ]);
  expect(wrap('    /srv/pipelines/shop', { width: 8 })).toEqual(['    /srv/pipelines/shop']);
});

test('cells count, not characters, and our own colours take none', () => {
  expect(wrap('注文 注文 注文', { width: 9 })).toEqual(['注文 注文', '注文']);
  const red = styleText('red', 'error:', { validateStream: false });
  expect(displayWidth(red)).toBe(6);
  expect(wrap(`${red} one two`, { width: 10 })).toEqual([`${red} one`, 'two']);
});

test('several lines hang each below their own beginning', () => {
  expect(wrapLines('  one two three four', { width: 12 })).toBe('  one two\n    three\n    four');
  expect(wrapLines('short\nlonger than ten', { width: 10 })).toBe('short\nlonger\n  than ten');
});

test('what stands in quotes or brackets stays together; brackets only where a line has room for them', () => {
  expect(wrap('as if "increp plan" ran [default: 5s]', { width: 16 })).toEqual([
    'as if',
    '"increp plan"',
    'ran',
    '[default: 5s]',
  ]);
  expect(wrap('[a very long note]', { width: 8 })).toEqual(['[a very', 'long', 'note]']);
});

test('empty lines stay', () => {
  expect(wrap('one two\n\nthree', { width: 5 })).toEqual(['one', 'two', '', 'three']);
});

test('commands are written as the user types them', () => {
  const typedCommand = (verb: string) => `increp -C shop ${verb}`;
  const text =
    'After "increp history orders", the increp synced it, and increp-sync or increp checks are other words.';
  expect(wrap(text, { width: Infinity, typedCommand })).toEqual([
    text.replace('increp history', 'increp -C shop history'),
  ]);
});

test('so are the commands for a pipeline, and no others', () => {
  const names = commands().map(({ description }) => description.name);
  const typedCommand = (verb: string) => `npx increp ${verb}`;
  const typed = names.filter(
    (name) => wrap(`increp ${name}`, { width: 80, typedCommand })[0] === `npx increp ${name}`,
  );
  expect(names.filter((name) => !typed.includes(name)).toSorted()).toEqual([
    ...['completion', 'demo', 'serve', 'token', 'work'],
  ]);
});

test('a command of the service in quotes and the help of the program are started as this process', () => {
  const typedCommand = (verb: string) => `npx increp ${verb}`;
  const printed = (text: string) => wrap(text, { width: 80, typedCommand }).at(-1)?.trim();
  expect(printed('See "increp --help".')).toBe('npx increp --help');
  expect(printed('See "increp serve --help".')).toBe('npx increp serve --help');
  expect(printed('Name a role: increp token create --role read')).toBe('npx increp token create --role read');
  expect(printed('The log of increp serve says more.')).toBe('The log of increp serve says more.');
});

test('a sentence about a command is no command', () => {
  expect(wrap('meaning: When increp serve syncs the table', { width: 24 })).toHaveLength(2);
});

test('a long command in quotes stays on one line, and the words before a command have their own', () => {
  const directory = `/srv/${'x'.repeat(120)}`;
  const command = `"/usr/bin/node ${directory}/increp.js -C ${directory} reset orders --force"`;
  const lines = wrap(`To take over the table, run ${command}. Then wait.`, { width: 60 });
  expect(lines).toEqual(['To take over the table, run', `${command}.`, 'Then wait.']);
  expect(wrap(`  next: Run: chmod 600 ${directory}`, { width: 60 })).toEqual([
    '  next: Run:',
    `chmod 600 ${directory}`,
  ]);
});

const TYPED = { typedCommand: (verb: string) => `increp -C shop ${verb}` };

test.each([
  ['To repair it, run "increp verify a".', 'To repair it:', 'increp -C shop verify a'],
  ['Then run "increp sync".', 'Then run:', 'increp -C shop sync'],
  ['Or use a terminal: "increp init"', 'Or use a terminal:', 'increp -C shop init'],
  ['Add a trigger ("increp help setup").', 'Add a trigger. More:', 'increp -C shop help setup'],
  [`Run "increp sync 'a"b' 'it'\\''s'".`, 'Run:', `increp -C shop sync 'a"b' 'it'\\''s'`],
  ['To test it: psql -h a -U b', 'To test it:', 'psql -h a -U b'],
  [
    'load it: "increp reset a && increp sync a"',
    'load it:',
    'increp -C shop reset a && increp -C shop sync a',
  ],
])('a command at the end of its sentence has a line of its own: %s', (text, before, command) => {
  expect(wrap(`  next: ${text}`, { width: 80, ...TYPED }, ' '.repeat(8))).toEqual([
    `  next: ${before}`,
    `          ${command}`,
  ]);
});

test('the next sentence begins below the command, and a long command moves to the left', () => {
  const text = 'If the source is right, run "increp sync a". If not, run "increp reset a --force".\nWait.';
  expect(wrap(text, { width: Infinity, ...TYPED }, '  ')).toEqual([
    'If the source is right:',
    '    increp -C shop sync a',
    '  If not:',
    '    increp -C shop reset a --force',
    '  Wait.',
  ]);
  expect(wrap('Run "increp sync a".', { width: 30, ...TYPED }, ' '.repeat(12))[1]).toBe(
    '      increp -C shop sync a',
  );
});

test.each([
  'The next "increp sync" continues.',
  'Run it as the user that runs "increp sync".',
  'FAILED a (NOT_SYNCED): increp status a',
])('other commands stay in their lines: %s', (text) => {
  expect(wrapInline(text, { width: 80, ...TYPED })).toHaveLength(1);
});

test('a statement breaks before a clause or after a comma, and never inside a value or a name', () => {
  const text =
    'See the keys. At the source: SELECT "order number", count(*) FROM "public"."order lines" GROUP BY "order number" HAVING count(*) > 1';
  expect(wrap(text, { width: 60 }, '  ')).toEqual([
    'See the keys. At the source: SELECT "order number", count(*)',
    '  FROM "public"."order lines" GROUP BY "order number"',
    '  HAVING count(*) > 1',
  ]);
  const role = `At the source: CREATE ROLE r LOGIN PASSWORD 'a b  c'; GRANT USAGE ON SCHEMA "s" TO r; COMMENT ON ROLE r IS 'it''s the  one'`;
  for (let width = 20; width < 140; width += 1) {
    const lines = wrap(role, { width }, '    ');
    for (const value of ["'a b  c'", "'it''s the  one'"])
      expect(lines.some((line) => line.includes(value))).toBe(true);
    expect(lines.map((line) => line.trim()).join(' ')).toBe(role);
  }
});

test('an apostrophe in a sentence begins no value', () => {
  expect(wrap("The source's clock and the server's clock differ.", { width: 24 })).toEqual([
    "The source's clock and",
    "the server's clock",
    'differ.',
  ]);
});

test.each([
  'next: npx increp -C /srv/pipelines/shop status audit_log and_another_table_with_a_long_name',
  `then run: increp sync 'Müller daten' 'Odd Name'\\''s' audit_log moods order_items orders --adopt`,
  'To test it: pg_isready -h a-host-with-a-long-name.example.com -p 6761',
  'next: /opt/node/bin/node /opt/increp/bin/increp.js -C /srv/pipelines/shop verify orders',
  `Next: '/opt/my tools/node' '/opt/my tools/increp.js' -C '/srv/all pipelines/the shop' check`,
  `next: '/opt/my tools/increp' -C '/srv/all pipelines/the shop' check`,
  `next: sudo chown -R alice '/srv/all pipelines/the shop of the department'`,
  'next: sudo -u postgres increp -C /srv/pipelines/the-shop-of-the-department/production status',
])('a command for a shell stays on one line: %s', (text) => {
  const lines = wrap(`Before it stand some words that fill a line. ${text}`, { width: 60 }, '    ');
  const command = text.slice(text.indexOf(': ') + 2);
  expect(lines.filter((line) => line.includes(command))).toHaveLength(1);
});
