/** The questions of `increp init` about the connections, on a real pseudo terminal. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { expect, test } from 'vitest';
import { CTRL_C, DOWN, ENTER, ESC, startDialogue, UP } from '../support/dialogue.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { slowTest } from '../support/tier.ts';
import { SHOP, answerAddress, passwordOf, settled } from '../support/init-dialogue.ts';

test('a source database without tables is corrected like a connection', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  // The destination has no tables yet.
  const env = { ...settled(pair), SOURCE_URL: pair.destinationUrl('increp') };
  await using dialogue = startDialogue('init -C new', pair.directory, env);
  await dialogue.answer('● Schema: public', UP);
  expect(dialogue.seen()).toContain('the schema "public" of the source has no tables');
  await dialogue.answer('● ', `${UP}${UP}${UP}${UP}${UP}${ENTER}`);
  await dialogue.answer('Host of the source', `\u0015${pair.sourceUrl('increp')}${ENTER}`);
  await dialogue.answer('Schema of the tables', ENTER);
  await dialogue.answer('Which tables', ENTER);
  await dialogue.answer('Are these keys correct?', ENTER);
  expect(await dialogue.wait()).toBe(0);
});

slowTest('going back keeps every answer, also the password', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  const { port } = pair.login('source', 'increp');
  const env = { ...settled(pair), SOURCE_URL: undefined, SOURCE_SCHEMA: undefined };
  await using dialogue = startDialogue('init -C new', pair.directory, env);
  await answerAddress(dialogue, pair, 'source', passwordOf(pair, 'source'));
  await dialogue.answer('Schema of the tables', ESC);
  await dialogue.answer('Encryption', ESC);
  await dialogue.answer(/Password of .*•{8}/, ESC);
  await dialogue.answer('User', ESC);
  await dialogue.answer('Database', ESC);
  await dialogue.answer('Port', ESC);
  await dialogue.answer('Host of the source', ENTER);
  await dialogue.answer(/Port .*Ctrl-U clears the field/, `\u0015${port}${ENTER}`);
  await dialogue.answer('Database', ENTER);
  await dialogue.answer('User', ENTER);
  await dialogue.answer(/Password of .*•{8}/, ENTER);
  await dialogue.answer('Encryption', ENTER);
  await dialogue.answer('● public', ENTER);
  await dialogue.answer('Which tables', ENTER);
  await dialogue.answer('Are these keys correct?', ENTER);
  expect(await dialogue.wait()).toBe(0);
  expect(dialogue.bytes).not.toContain(passwordOf(pair, 'source').slice(0, 10));
  const written = parse(await readFile(join(pair.directory, 'new', '.env'), 'utf8'));
  const { host, user, database } = pair.login('source', 'increp');
  expect(written).toMatchObject({
    SOURCE_HOST: host,
    SOURCE_PORT: String(port),
    SOURCE_DB: database,
    SOURCE_USERNAME: user,
    SOURCE_PASSWORD: passwordOf(pair, 'source'),
  });
});

test('a pasted URL is hidden, and its encryption is corrected alone', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  const url = `${pair.sourceUrl('increp')}?sslmode=require&application_name=etl`;
  const env = { ...settled(pair), SOURCE_URL: undefined };
  await using dialogue = startDialogue('init -C new', pair.directory, env);
  await dialogue.answer('Host of the source', `postgresql://a:p@s/%x@db/shop${ENTER}`);
  await dialogue.answer('enter the host here', `jdbc:${url}${ENTER}`);
  await dialogue.answer('not a connection URL', `reader@db${ENTER}`);
  for (const line of dialogue.seen().split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  expect(dialogue.seen()).toMatch(/^└ {2}not a connection URL of the form/m);
  await dialogue.answer('This is not a host', `\u0015db:6402/shop${ENTER}`);
  await dialogue.answer('This contains a port', `\u0015db/shop${ENTER}`);
  await dialogue.answer('This is not a host', `\u0015here${ENTER}`);
  await dialogue.answer('Port', ENTER);
  await dialogue.answer('Database', `${url}${ENTER}`);
  await dialogue.answer('This is a URL', ESC);
  await dialogue.answer('Port', ESC);
  await dialogue.answer('here', `\u0015psql "${url}"${ENTER}`);
  await dialogue.answer('● Encryption: require', ENTER);
  await dialogue.answer('● require', `${UP}${ENTER}`);
  await dialogue.answer('Which tables', ENTER);
  await dialogue.answer('Are these keys correct?', ENTER);
  expect(await dialogue.wait()).toBe(0);
  expect(dialogue.bytes).not.toContain(passwordOf(pair, 'source').slice(0, 5));
  const written = parse(await readFile(join(pair.directory, 'new', '.env'), 'utf8'));
  expect(written['SOURCE_URL']).toMatch(/\?sslmode=prefer&application_name=etl$/);
  expect((await increp('-C new check', pair)).exitCode).toBe(0);
});

test('"All settings" asks for each setting of a URL', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  const { port, user, database } = pair.login('source', 'increp');
  const url = pair.sourceUrl('increp').replace(/\/[^/?]+(?=\?|$)/, '/absent');
  await using dialogue = startDialogue('init -C new', pair.directory, { ...settled(pair), SOURCE_URL: url });
  await dialogue.answer('● Database: absent', DOWN.repeat(6));
  await dialogue.answer('● All settings', ENTER);
  await dialogue.answer('Host of the source', `\u0015localhost${ENTER}`);
  await dialogue.answer('Port', `\u0015${port}${ENTER}`);
  await dialogue.answer('Database', `\u0015${database}${ENTER}`);
  await dialogue.answer('User', `\u0015${user}${ENTER}`);
  await dialogue.answer('Password', ENTER);
  await dialogue.answer('Encryption', ENTER);
  await dialogue.answer('Which tables', CTRL_C);
  expect(await dialogue.wait()).toBe(130);
});

test('after a failed connection the user can give up', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  const env = { ...settled(pair), SOURCE_URL: pair.sourceUrl('increp').replace(/:\d+\//, ':1/') };
  await using dialogue = startDialogue('init -C new', pair.directory, env);
  await dialogue.answer('● Host: 127.0.0.1', DOWN);
  await dialogue.answer('● Port: 1', ESC);
  await dialogue.answer('● Host: 127.0.0.1', UP);
  await dialogue.answer('● Give up: write nothing', ENTER);
  expect(await dialogue.wait()).toBe(130);
  expect(dialogue.seen()).toContain('This is the first question.');
  expect(dialogue.seen()).toContain('Nothing was written.');
  expect(await readdir(pair.directory)).not.toContain('new');
});
