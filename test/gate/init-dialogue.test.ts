/** `increp init` as a person sees it: on a real pseudo terminal of 80x24. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { expect, test } from 'vitest';
import { CTRL_C, CTRL_D, DOWN, ENTER, startDialogue, TAB } from '../support/dialogue.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { slowTest } from '../support/tier.ts';
import { SHOP, answerAddress, passwordOf, settled } from '../support/init-dialogue.ts';

test('from nothing to a pipeline that syncs, with a wrong password corrected on the way', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  await using dialogue = startDialogue('init -C new', pair.directory);
  await answerAddress(dialogue, pair, 'source', 'n0t-The-Password');
  await dialogue.answer('What do you want to correct?', ENTER);
  expect(dialogue.seen()).toContain('password authentication failed');
  expect(dialogue.seen()).toContain('next: Correct the user or the password here.');
  expect(dialogue.seen()).not.toContain('SOURCE_PASSWORD');
  await dialogue.answer('Password of', `${passwordOf(pair, 'source')}${ENTER}`);
  await dialogue.answer('Schema of the tables', ENTER);
  await answerAddress(dialogue, pair, 'destination', passwordOf(pair, 'destination'));
  await dialogue.answer('Schema of the destination tables', ENTER);
  await dialogue.answer('Which tables', `${DOWN}${DOWN}${ENTER}`);
  expect(dialogue.seen()).toMatch(/^│ {2}words .*\(none found\)\n│ {2}orders /m);
  expect(dialogue.seen()).toMatch(/^│ {2}orders +~10 rows +8\.2 kB {2}updated_at$/m);
  // log, notes, orders
  await dialogue.answer('Tables to copy', TAB);
  await dialogue.answer('◼ log', `${DOWN}${DOWN}`);
  await dialogue.answer('by updated_at', `${TAB}${ENTER}`);
  await dialogue.answer('Are these keys correct?', ENTER);
  await dialogue.answer('log: which column grows', DOWN);
  expect(dialogue.seen()).toContain('No column: read the whole table');
  await dialogue.answer('● id', ENTER);
  await dialogue.answer('log: which columns identify a row?', ENTER);
  expect(await dialogue.wait()).toBe(0);
  const seen = dialogue.seen();
  expect(seen).toMatch(/"id" shows only inserts[^]*log: which columns identify a row\?/);
  expect(seen).toContain('the replication key of log (id) shows only inserts');
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
  ['Ctrl-C', 'at the first question', 0, CTRL_C],
  ['Ctrl-C', 'while the tables are chosen', 1, CTRL_C],
  ['Ctrl-D', 'while the tables are chosen', 1, CTRL_D],
])('%s %s leaves nothing', async (name, _when, questions, key) => {
  await using pair = await freshPair({ sourceSql: SHOP });
  await using dialogue = startDialogue(
    'init -C new --source-schema public',
    pair.directory,
    questions > 0 ? settled(pair) : {},
  );
  await dialogue.answer(questions > 0 ? 'Which tables' : 'Host of the source', key);
  expect(await dialogue.wait()).toBe(130);
  expect(dialogue.seen()).toContain(`stopped by ${name}`);
  expect(dialogue.seen()).toContain('Nothing was written.');
  expect(dialogue.seen()).toContain('increp -C new init --source-schema public');
  expect(await readdir(pair.directory)).not.toContain('new');
});

slowTest('without UTF-8 and colours it is ASCII, and where the cursor is can be told', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  const env = { ...settled(pair), LANG: undefined, NO_COLOR: '1' };
  await using dialogue = startDialogue('init -C new', pair.directory, env);
  await dialogue.answer('> orders, the only table whose keys are clear', DOWN);
  await dialogue.answer('> All 4: increp asks about the keys of the other 3', DOWN);
  await dialogue.answer('> Let me choose', ENTER);
  await dialogue.answer('[ ] log', DOWN);
  await dialogue.answer(/notes .*\(increp asks\)/, CTRL_C);
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
