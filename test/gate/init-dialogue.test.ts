/** `increp init` as a person sees it: on a real pseudo terminal of 80x24. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { expect, test } from 'vitest';
import { CTRL_C, DOWN, ENTER, startDialogue, TAB } from '../support/dialogue.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, Side } from '../support/pair.ts';
import { ordersPreset } from '../support/shop.ts';

const SHOP = /* sql */ `${String(ordersPreset.sourceSql)};
  CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
  CREATE TABLE notes (note text, at timestamptz);
  CREATE TABLE words (word text PRIMARY KEY); ANALYZE`;

type Dialogue = ReturnType<typeof startDialogue>;

async function answerAddress(dialogue: Dialogue, pair: Pair, which: Side, password: string): Promise<void> {
  const { host, port, user, database } = pair.login(which, 'increp');
  await dialogue.answer(`enter the ${which}?`, ENTER);
  await dialogue.answer(`Host of the ${which}`, `${host}${ENTER}`);
  await dialogue.answer('Port', `${port}${ENTER}`);
  await dialogue.answer('Database', `${database}${ENTER}`);
  await dialogue.answer('User', `${user}${ENTER}`);
  await dialogue.answer('Password', `${password}${ENTER}`);
  await dialogue.answer('Encryption', ENTER);
}

const passwordOf = (pair: Pair, which: Side) => pair.login(which, 'increp').password;
const settled = (pair: Pair) => ({
  SOURCE_URL: pair.sourceUrl('increp'),
  SOURCE_SCHEMA: 'public',
  DEST_URL: pair.destinationUrl('increp'),
  DEST_SCHEMA: 'public',
});

test('from nothing to a pipeline that syncs, with a wrong password corrected on the way', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  await using dialogue = startDialogue('init -C new', pair.directory);
  await answerAddress(dialogue, pair, 'source', 'n0t-The-Password');
  await dialogue.answer('What do you want to correct?', ENTER);
  expect(dialogue.seen()).toContain('password authentication failed');
  expect(dialogue.seen()).toMatch(/next: Check SOURCE_URL, or SOURCE_USERNAME and SOURCE_PASSWORD/);
  await dialogue.answer('Password of', `${passwordOf(pair, 'source')}${ENTER}`);
  await dialogue.answer('Schema of the tables', ENTER);
  await answerAddress(dialogue, pair, 'destination', passwordOf(pair, 'destination'));
  await dialogue.answer('Schema of the destination tables', ENTER);
  await dialogue.answer('Which tables', `${DOWN}${ENTER}`);
  expect(dialogue.seen()).toMatch(/^│ {2}words .*\(no key found\)$/m);
  expect(dialogue.seen()).toMatch(/^│ {2}orders +~10 rows +8\.2 kB {2}updated_at$/m);
  // log, notes, orders
  await dialogue.answer('Tables to copy', TAB);
  await dialogue.answer('◼ log', `${DOWN}${DOWN}`);
  await dialogue.answer('by updated_at', `${TAB}${ENTER}`);
  await dialogue.answer('Are these keys correct?', ENTER);
  await dialogue.answer('log: which column grows', DOWN);
  expect(dialogue.seen()).toContain('No key: read the whole table');
  await dialogue.answer('● id', ENTER);
  await dialogue.answer('log: which columns identify a row?', ENTER);
  expect(await dialogue.wait()).toBe(0);
  const seen = dialogue.seen();
  expect(seen).toContain('the key of log shows only inserts');
  expect(seen.split('\n').at(-1)).toBe('Next: increp -C new check');
  for (const which of ['source', 'destination'] as const)
    expect(dialogue.bytes).not.toContain(passwordOf(pair, which).slice(0, 10));
  const env = parse(await readFile(join(pair.directory, 'new', '.env'), 'utf8'));
  expect(env).toMatchObject({
    SOURCE_PASSWORD: passwordOf(pair, 'source'),
    DEST_PASSWORD: passwordOf(pair, 'destination'),
    SOURCE_SSLMODE: 'prefer',
  });
  expect((await stat(join(pair.directory, 'new', '.env'))).mode & 0o777).toBe(0o600);
  expect((await increp('-C new check', pair)).exitCode).toBe(0);
  expect((await increp('-C new sync', pair)).exitCode).toBe(0);
  expect((await pair.destination.query('SELECT count(*)::int AS n FROM orders')).rows).toEqual([{ n: 10 }]);
});

test.each([
  ['at the first question', 0],
  ['while the tables are chosen', 1],
])('Ctrl-C %s leaves nothing', async (_when, questions) => {
  await using pair = await freshPair({ sourceSql: SHOP });
  await using dialogue = startDialogue('init -C new', pair.directory, questions > 0 ? settled(pair) : {});
  await dialogue.answer(questions > 0 ? 'Which tables' : 'enter the source?', CTRL_C);
  expect(await dialogue.wait()).toBe(130);
  expect(dialogue.seen()).toContain('stopped by Ctrl-C');
  expect(dialogue.seen()).toContain('Nothing was written.');
  expect(await readdir(pair.directory)).not.toContain('new');
});

test('what is known is not asked, and each file that is there is asked for', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  const config = join(pair.directory, 'tables-config.json');
  await writeFile(config, '{ "tables": [{ "name": "mine", "replication_key": "a", "unique_cols": ["a"] }] }');
  await using dialogue = startDialogue('init', pair.directory);
  await dialogue.answer('Which tables', ENTER);
  await dialogue.answer('Are these keys correct?', ENTER);
  await dialogue.answer('tables-config.json already exists. Replace it?', ENTER);
  expect(await dialogue.wait()).toBe(0);
  expect(dialogue.seen()).toMatch(/\.env +unchanged/);
  expect(await readFile(config, 'utf8')).toContain('"mine"');
});

test('without UTF-8 and colours it is ASCII, and where the cursor is can be told', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  const env = { ...settled(pair), LANG: undefined, NO_COLOR: '1' };
  await using dialogue = startDialogue('init -C new', pair.directory, env);
  await dialogue.answer('> orders, the one with a clear key', DOWN);
  await dialogue.answer('> Let me choose', ENTER);
  await dialogue.answer('[ ] log', DOWN);
  await dialogue.answer(/notes .*\(increp asks for its key\)/, CTRL_C);
  expect(await dialogue.wait()).toBe(130);
  // oxlint-disable-next-line no-control-regex -- what a terminal without UTF-8 can show, and no colours
  expect(dialogue.bytes).toMatch(/^[\u0000-\u007f]*$/);
  // oxlint-disable-next-line no-control-regex
  expect(dialogue.bytes).not.toMatch(/\u001b\[[\d;]*m/);
});

test.each([{ CI: 'true' }, { TERM: 'dumb' }])('%o: no prompt, but what is missing', async (env) => {
  await using pair = await freshPair({ sourceSql: SHOP });
  await using dialogue = startDialogue('init -C new', pair.directory, env);
  expect(await dialogue.wait()).toBe(64);
  expect(dialogue.seen()).toContain('--source-url');
});

test('where the destination has rows that increp did not write, the direction is asked for', async () => {
  await using pair = await freshPair({
    sourceSql: SHOP,
    destinationSql: `CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 3)`,
  });
  await using dialogue = startDialogue('init -C new', pair.directory, settled(pair));
  await dialogue.answer('Which tables', ENTER);
  await dialogue.answer('Are these keys correct?', ENTER);
  await dialogue.answer('Are source and destination correct?', ENTER);
  expect(await dialogue.wait()).toBe(64);
  expect(dialogue.seen()).toContain('orders (3 rows)');
  expect(dialogue.seen()).toContain('Nothing was written.');
  expect(await readdir(pair.directory)).not.toContain('new');
});
