/** The questions of `increp init` about tables and their keys, on a real pseudo terminal. */
import { expect, test } from 'vitest';
import { DOWN, ENTER, ESC, startDialogue, TAB, UP } from '../support/dialogue.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { slowTest } from '../support/tier.ts';
import { SHOP, settled, tablesIn } from '../support/init-dialogue.ts';

slowTest('Esc goes back one question and keeps the answer, and each table can be left out', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  await using dialogue = startDialogue('init -C new', pair.directory, settled(pair));
  await dialogue.answer('Which tables', `${DOWN}${ENTER}`);
  expect(dialogue.seen()).toContain('Esc: back one question. Ctrl-C: give up.');
  await dialogue.answer('Are these keys correct?', ESC);
  await dialogue.answer('● All 4: increp asks about the keys of the other 3', ENTER);
  await dialogue.answer('Are these keys correct?', ENTER);
  await dialogue.answer('log: which column grows', `${UP}${ENTER}`);
  await dialogue.answer('notes: which columns identify a row?', ENTER);
  await dialogue.answer('words: which column grows', ESC);
  await dialogue.answer('● No columns: read the whole table each time', DOWN);
  await dialogue.answer('● Choose the columns', ENTER);
  await dialogue.answer('notes: all columns that identify a row', ENTER);
  await dialogue.answer('Please select at least one item', 'x');
  await dialogue.answer('(0 matches)', '\u007f');
  await dialogue.answer('Space/Tab: select', ' ');
  await dialogue.answer('◼ ', ESC);
  await dialogue.answer('● Choose the columns', DOWN);
  await dialogue.answer('● Leave the table out', ENTER);
  await dialogue.answer('● No column: read the whole table each time', ENTER);
  expect(await dialogue.wait()).toBe(0);
  const end = dialogue.seen().split('The pipeline is in')[1];
  expect(end).toMatch(/tables-config\.json +written +2 tables and their keys; 2 left out/);
  expect(end).toMatch(
    /Read completely at each sync.*\n {2}words: no column has a type that can be a replication key\n/,
  );
  expect(end).toMatch(/Left out:\n {2}log, notes: you left it out\n/);
  expect(dialogue.seen().match(/Connecting to the source/g)).toHaveLength(1);
  expect(await tablesIn(pair)).toMatchObject({
    tables: [{ name: 'orders' }, { name: 'words', mode: 'full-refresh' }],
  });
});

test('a table without keys can be read completely, and a table that is left out is named', async () => {
  await using pair = await freshPair({
    sourceSql: `${SHOP}; CREATE TABLE hidden (id int PRIMARY KEY); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY`,
  });
  await using dialogue = startDialogue('init -C new', pair.directory, settled(pair));
  await dialogue.answer('Which tables', `${DOWN}${ENTER}`);
  await dialogue.answer('Are these keys correct?', ENTER);
  await dialogue.answer('log: which column grows', ENTER);
  await dialogue.answer('notes: which columns identify a row?', ENTER);
  await dialogue.answer('words: which column grows', ENTER);
  expect(await dialogue.wait()).toBe(0);
  expect(await tablesIn(pair)).toMatchObject({
    tables: [
      { name: 'log', mode: 'full-refresh', unique_cols: ['id'] },
      { name: 'notes', mode: 'full-refresh' },
      { name: 'orders' },
      { name: 'words', mode: 'full-refresh' },
    ],
  });
  const end = dialogue.seen().split('The pipeline is in')[1];
  expect(end).toContain('notes: no columns that identify a row were chosen');
  expect(end).toMatch(/Left out:\n {2}hidden: row-level security would hide rows/);
  expect((await increp('-C new sync', pair)).exitCode).toBe(0);
});

slowTest('tables whose key no trigger sets are named beside the question about the keys', async () => {
  await using pair = await freshPair({
    sourceSql: `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
      CREATE TABLE products (id int PRIMARY KEY, modified_at timestamp NOT NULL DEFAULT now());
      CREATE TABLE touched (id int PRIMARY KEY, updated_at timestamptz);
      CREATE TRIGGER touch BEFORE UPDATE ON touched FOR EACH ROW EXECUTE FUNCTION touch();
      CREATE TABLE parted (id int PRIMARY KEY, updated_at timestamptz) PARTITION BY RANGE (id);
      CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
      CREATE TRIGGER touch BEFORE UPDATE ON parted_1 FOR EACH ROW EXECUTE FUNCTION touch();
      CREATE TABLE inserted (id int PRIMARY KEY, updated_at timestamptz);
      CREATE TRIGGER touch BEFORE INSERT ON inserted FOR EACH ROW EXECUTE FUNCTION touch()`,
  });
  await using dialogue = startDialogue('init -C new', pair.directory, settled(pair));
  await dialogue.answer('Which tables', `${DOWN}${ENTER}`);
  const shown = () => dialogue.seen().replaceAll(/\s+│?\s*/g, ' ');
  await dialogue.answer('Tables to copy', `${DOWN}${DOWN}`);
  await dialogue.answer(/products .*\(by modified_at\)/, TAB);
  await dialogue.answer('◼ products', DOWN);
  await dialogue.answer(/touched .*\(by updated_at\)/, `${TAB}${ENTER}`);
  await dialogue.answer('Are these keys correct?', ESC);
  expect(shown()).toContain(
    'No trigger sets modified_at of products. increp misses a change by an application that does not set it. See:',
  );
  await dialogue.answer('Tables to copy', ESC);
  await dialogue.answer('Which tables', `${UP}${ENTER}`);
  await dialogue.answer('Are these keys correct?', ENTER);
  expect(shown()).toContain('No trigger sets the replication keys of inserted, products. increp misses');
  expect(await dialogue.wait()).toBe(0);
});

test('tables with the same keys share a line, and the columns that identify a row come before the key', async () => {
  const usual = ['a', 'b', 'c', 'd'].map(
    (name) => `CREATE TABLE ${name} (id int PRIMARY KEY, updated_at timestamptz)`,
  );
  await using pair = await freshPair({
    sourceSql: `${usual.join(';')}; CREATE TABLE aa (no int PRIMARY KEY, changed timestamptz);
      CREATE TABLE seen (at timestamptz, note text)`,
  });
  await using dialogue = startDialogue('init -C new', pair.directory, {
    ...settled(pair),
    SOURCE_SCHEMA: undefined,
  });
  await dialogue.answer('public (6 tables)', ENTER);
  await dialogue.answer('● All 5 whose keys are clear', DOWN);
  await dialogue.answer('● All 6', ENTER);
  await dialogue.answer('Are these keys correct?', ENTER);
  expect(dialogue.seen()).toMatch(
    /unique key:\n│ {2}updated_at \(.*\); by id:\n│ {4}a, b, c, d\n│ {2}aa +changed \(.*\); by no\n/,
  );
  await dialogue.answer('seen: which columns identify a row?', DOWN);
  await dialogue.answer('● Choose the columns', ENTER);
  await dialogue.answer('seen: all columns that identify a row', ` ${ENTER}`);
  await dialogue.answer('● No column: read the whole table each time', ENTER);
  expect(await dialogue.wait()).toBe(0);
  expect(await tablesIn(pair)).toMatchObject({
    tables: expect.arrayContaining([{ name: 'seen', mode: 'full-refresh', unique_cols: ['at'] }]) as unknown,
  });
  expect(dialogue.seen().replaceAll(/\s+/g, ' ')).toContain(
    '{ "name": "seen", "replication_key": "at", "unique_cols": ["at"] }',
  );
});
