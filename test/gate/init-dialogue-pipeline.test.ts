/** `increp init` in the directory of an existing pipeline, on a real pseudo terminal. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CTRL_C, DOWN, ENTER, startDialogue, TAB, UP } from '../support/dialogue.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { SHOP } from '../support/init-dialogue.ts';

test('a pipeline gets another table, and loses one, and every other entry stays as it is', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  const config = join(pair.directory, 'tables-config.json');
  const log = `{ "name": "log", "replication_key": "id", "unique_cols": ["id"] }`;
  const mine = `{
      "name": "mine", "replication_key": "a", "unique_cols": ["a"],
      "lookback":   "1m" }`;
  await writeFile(config, `{ "tables": [\n    ${mine},\n    ${log} ] }`);
  await using dialogue = startDialogue('init', pair.directory);
  await dialogue.answer(/log .*\(has an entry\)/, `${TAB}${DOWN}${DOWN}`);
  expect(dialogue.seen().replaceAll(/\s+│?\s*/g, ' ')).toMatch(
    /Changing the pipeline in \S+ Connections: from .env/,
  );
  await dialogue.answer(/orders .*\(by updated_at\)/, `${TAB}${ENTER}`);
  await dialogue.answer('Are these keys correct?', ENTER);
  await dialogue.answer('Remove the entries of log from tables-config.json?', `${UP}${ENTER}`);
  expect(await dialogue.wait()).toBe(0);
  expect(dialogue.seen()).toMatch(/\.env +unchanged/);
  expect(dialogue.seen()).toContain('1 selected');
  expect(dialogue.seen()).toContain('notes, words: not selected');
  expect(await readFile(config, 'utf8')).toBe(
    `{ "tables": [\n    ${mine},\n    { "name": "orders", "replication_key": "updated_at", "unique_cols": ["id"] } ] }`,
  );
});

test('tables of another schema join a pipeline, and its own entries and schemas stay', async () => {
  await using pair = await freshPair({
    sourceSql: `${SHOP}; CREATE SCHEMA crm; CREATE TABLE crm.orders (LIKE orders INCLUDING ALL);
      GRANT USAGE ON SCHEMA crm TO PUBLIC; GRANT SELECT ON crm.orders TO PUBLIC`,
  });
  const config = join(pair.directory, 'tables-config.json');
  const mine = `{ "name": "orders", "replication_key": "updated_at", "unique_cols": ["id"] }`;
  await writeFile(config, `{ "defaults": { "deletes": "hard" }, "tables": [${mine}] }`);
  await increp('sync', pair);
  const refused = await increp('init --yes --source-schema crm --all-tables', pair);
  expect(refused.stderr).toContain('init --source-schema crm');
  const before = await readFile(config, 'utf8');
  await using empty = startDialogue('init --source-schema crm', pair.directory);
  await empty.answer('Schema of the destination tables', ENTER);
  await empty.answer('Tables to copy', ENTER);
  expect(await empty.wait()).toBe(0);
  expect(await readFile(config, 'utf8')).toBe(before);
  expect(empty.seen()).toMatch(/run\s+again:\s+increp init --source-schema crm$/m);
  expect(empty.seen()).not.toContain('To use these flags');
  await using dialogue = startDialogue('init --source-schema crm', pair.directory);
  await dialogue.answer('Schema of the destination tables', ENTER);
  await dialogue.answer('Tables to copy', `${TAB}${ENTER}`);
  await dialogue.answer('Are these keys correct?', ENTER);
  expect(await dialogue.wait()).toBe(0);
  expect(dialogue.seen()).toMatch(/\.env +unchanged/);
  expect(dialogue.seen()).not.toContain('not at the source');
  expect(dialogue.seen()).not.toContain('stay at the destination');
  expect(JSON.parse(await readFile(config, 'utf8'))).toMatchObject({
    tables: [JSON.parse(mine), { name: 'orders', schema: 'crm' }],
  });
  const { stdout } = await increp('plan', pair);
  expect(stdout).toMatch(/^\+ crm\.orders +initial/m);
});

test('the list of an existing pipeline opens at its start, and a question has the kind and the size', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  const config = join(pair.directory, 'tables-config.json');
  await writeFile(config, `{ "tables": [{ "name": "words", "mode": "full-refresh" }] }`);
  await using dialogue = startDialogue('init', pair.directory);
  await dialogue.answer('Tables to copy', `${TAB}${ENTER}`);
  await dialogue.answer(/log: which column grows with every change\? \(table, [\d.]+ k?B\)/, ENTER);
  expect(await dialogue.wait()).toBe(0);
  expect(JSON.parse(await readFile(config, 'utf8'))).toMatchObject({
    tables: [{ name: 'words' }, { name: 'log', mode: 'full-refresh' }],
  });
});

test('what is known is not asked, and a file that is not understood is replaced only on request', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  const config = join(pair.directory, 'tables-config.json');
  await writeFile(config, '{ "tables": "mine" }');
  await using dialogue = startDialogue('init', pair.directory);
  await dialogue.answer('Which tables', ENTER);
  await dialogue.answer('Are these keys correct?', ENTER);
  await dialogue.answer('tables-config.json already exists. Replace it?', CTRL_C);
  expect(await dialogue.wait()).toBe(130);
  expect(await readFile(config, 'utf8')).toContain('mine');
});
