/** `increp init` as a person sees it: on a real pseudo terminal of 80x24. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { expect, test } from 'vitest';
import { CTRL_C, CTRL_D, DOWN, ENTER, ESC, startDialogue, TAB, UP } from '../support/dialogue.ts';
import { increp } from '../support/increp.ts';
import { waitUntil } from '../support/activity.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair, Side } from '../support/pair.ts';
import { ordersPreset } from '../support/shop.ts';
import { slowTest } from '../support/tier.ts';

const SHOP = /* sql */ `${String(ordersPreset.sourceSql)};
  CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
  CREATE TABLE notes (note text, at timestamptz);
  CREATE TABLE words (word text PRIMARY KEY); ANALYZE`;

type Dialogue = ReturnType<typeof startDialogue>;

async function answerAddress(dialogue: Dialogue, pair: Pair, which: Side, password: string): Promise<void> {
  const { host, port, user, database } = pair.login(which, 'increp');
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
  await using dialogue = startDialogue('init -C new', pair.directory, questions > 0 ? settled(pair) : {});
  await dialogue.answer(questions > 0 ? 'Which tables' : 'Host of the source', key);
  expect(await dialogue.wait()).toBe(130);
  expect(dialogue.seen()).toContain(`stopped by ${name}`);
  expect(dialogue.seen()).toContain('Nothing was written.');
  expect(await readdir(pair.directory)).not.toContain('new');
});

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

test('the proposed destination schema is one that the pipeline uses, or where the role may write', async () => {
  await using pair = await freshPair({
    sourceSql: `${SHOP}; CREATE SCHEMA crm; CREATE TABLE crm.leads (LIKE orders INCLUDING ALL);
      GRANT USAGE ON SCHEMA crm TO PUBLIC; GRANT SELECT ON crm.leads TO PUBLIC`,
    isOwn: true,
  });
  const { user, database } = pair.login('destination', 'increp');
  await pair.destination
    .query(`ALTER DATABASE ${database} OWNER TO CURRENT_USER; REVOKE ALL ON SCHEMA public FROM PUBLIC;
    ALTER SCHEMA public OWNER TO CURRENT_USER; CREATE SCHEMA replica AUTHORIZATION ${user}`);
  const env = join(pair.directory, 'new', '.env');
  const { DEST_SCHEMA: _, ...known } = settled(pair);
  await using first = startDialogue('init -C new', pair.directory, known);
  await first.answer('may create tables in replica)', ENTER);
  await first.answer('Which tables', ENTER);
  await first.answer('Are these keys correct?', ENTER);
  expect(await first.wait()).toBe(0);
  expect(parse(await readFile(env, 'utf8'))['DEST_SCHEMA']).toBe('replica');
  await pair.destination.query(`GRANT CREATE ON DATABASE ${database} TO ${user}`);
  await using second = startDialogue('init -C new --source-schema crm', pair.directory);
  await second.answer('Schema of the destination tables', ENTER);
  await second.answer('Tables to copy', `${TAB}${ENTER}`);
  await second.answer('Are these keys correct?', ENTER);
  expect(await second.wait()).toBe(0);
  const { tables } = JSON.parse(
    await readFile(join(pair.directory, 'new', 'tables-config.json'), 'utf8'),
  ) as {
    tables: { name: string }[];
  };
  expect(tables.find(({ name }) => name === 'leads')).not.toHaveProperty('dest_schema');
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

test('where the destination has rows that increp did not write, the direction is asked for', async () => {
  await using pair = await freshPair({
    sourceSql: SHOP,
    destinationSql: `CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 3)`,
  });
  await using dialogue = startDialogue('init -C new', pair.directory, settled(pair));
  await dialogue.answer('Which tables', ENTER);
  await dialogue.answer('Are these keys correct?', ENTER);
  await dialogue.answer('Are source and destination correct?', ENTER);
  await dialogue.answer('● The destination', `${DOWN}${ENTER}`);
  await dialogue.answer('What do you want to correct? (source)', `${UP}${UP}`);
  await dialogue.answer('● Nothing: the source is correct', ENTER);
  await dialogue.answer('What do you want to correct? (destination)', `${DOWN}${DOWN}${ENTER}`);
  await dialogue.answer('◆ Database', ENTER);
  await dialogue.answer('Schema of the destination tables', ENTER);
  await dialogue.answer('Which tables', ENTER);
  await dialogue.answer('Are these keys correct?', ENTER);
  await dialogue.answer('Are source and destination correct?', UP);
  await dialogue.answer('● Give up: write nothing', ENTER);
  expect(await dialogue.wait()).toBe(130);
  expect(dialogue.seen()).toMatch(/orders\s+│?\s*\(3 rows\)/);
  expect(dialogue.seen()).toContain('Nothing was written.');
  expect(await readdir(pair.directory)).not.toContain('new');
});

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

slowTest(
  'if the sides are probably swapped, no command is printed that overwrites the destination',
  async () => {
    await using pair = await freshPair({
      sourceSql: `${SHOP}; CREATE TABLE _increp_state (table_name text, pipeline text, record jsonb)`,
      destinationSql: `CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 3)`,
    });
    await using dialogue = startDialogue('init -C new', pair.directory, settled(pair));
    await dialogue.answer('Which tables', ENTER);
    await dialogue.answer('Are these keys correct?', ENTER);
    await dialogue.answer('Are source and destination correct?', DOWN);
    expect(dialogue.seen()).toContain('source and destination are probably swapped');
    await dialogue.answer('● Yes: continue', ENTER);
    expect(await dialogue.wait()).toBe(0);
    expect(dialogue.seen()).toMatch(/increp\s+help DESTINATION_NOT_OURS/);
    expect(dialogue.seen()).not.toMatch(/--adopt|--replace/);
  },
);

const tablesIn = async (pair: Pair): Promise<unknown> =>
  JSON.parse(await readFile(join(pair.directory, 'new', 'tables-config.json'), 'utf8'));

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
    /unique key:\n│ {2}4 tables: +updated_at \(.*\); by id\n│ {2}aa +changed \(.*\); by no\n/,
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

test('a destination schema that is the source is asked for again', async () => {
  await using pair = await freshPair({ sourceSql: SHOP });
  const env = { ...settled(pair), DEST_URL: pair.sourceUrl('increp'), DEST_SCHEMA: undefined };
  await using dialogue = startDialogue('init -C new', pair.directory, env);
  await dialogue.answer('Schema of the destination tables', ENTER);
  expect(dialogue.seen()).toContain('Source and destination are the same database.');
  await waitUntil('the advice', () =>
    dialogue.seen().includes('next: Enter another schema, or press Esc to change the connection.'),
  );
  expect(dialogue.seen()).not.toContain('Give DEST_URL');
  await dialogue.answer('Schema of the destination tables', ENTER);
  await dialogue.answer('It cannot be empty.', `public${ENTER}`);
  await dialogue.answer('"public" is the schema that was refused.', CTRL_C);
});

test('after "write to another schema", the refused schema is not proposed', async () => {
  await using pair = await freshPair({
    sourceSql: SHOP,
    destinationSql: 'CREATE TABLE orders (id int); CREATE SCHEMA copies',
  });
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(
    `ALTER TABLE orders OWNER TO CURRENT_USER; REVOKE ALL ON orders FROM ${user} CASCADE; GRANT ALL ON SCHEMA copies TO ${user}`,
  );
  await using dialogue = startDialogue('init -C new', pair.directory, settled(pair));
  await dialogue.answer('Which tables', ENTER);
  await dialogue.answer('Are these keys correct?', ENTER);
  await dialogue.answer('● Write to another schema', ENTER);
  await dialogue.answer('Schema of the destination tables', ENTER);
  await dialogue.answer('It cannot be empty.', `public${ENTER}`);
  await dialogue.answer('"public" is the schema that was refused.', `\u0015copies${ENTER}`);
  expect(await dialogue.wait()).toBe(0);
  expect(parse(await readFile(join(pair.directory, 'new', '.env'), 'utf8'))['DEST_SCHEMA']).toBe('copies');
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

slowTest('destination tables of another pipeline are named, and its name can be taken', async () => {
  await using pair = await freshPair(ordersPreset);
  await increp('sync', pair);
  const env = { ...settled(pair), PIPELINE_NAME: undefined };
  await using dialogue = startDialogue('init -C new', pair.directory, env);
  await dialogue.answer('Which tables', ENTER);
  await dialogue.answer('Are these keys correct?', ENTER);
  await dialogue.answer('What do you want to do?', `${UP}${ENTER}`);
  expect(await dialogue.wait()).toBe(0);
  expect((await increp('-C new sync', pair, { env: { PIPELINE_NAME: undefined } })).exitCode).toBe(0);
});

test('a destination table of another role is left out by default, because it shows no swap', async () => {
  await using pair = await freshPair({
    sourceSql: `${SHOP}; CREATE TABLE items (id int PRIMARY KEY, updated_at timestamptz)`,
    destinationSql: 'CREATE TABLE orders (id int)',
  });
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query('REVOKE ALL ON orders FROM PUBLIC; ALTER TABLE orders OWNER TO CURRENT_USER');
  await pair.destination.query(`REVOKE ALL ON orders FROM ${user} CASCADE`);
  await using dialogue = startDialogue('init -C new', pair.directory, settled(pair));
  await dialogue.answer('Which tables', ENTER);
  await dialogue.answer('Are these keys correct?', ENTER);
  await dialogue.answer('A sync refuses orders. What do you want to do?', ENTER);
  expect(await dialogue.wait()).toBe(0);
  expect(dialogue.seen()).toContain('Leave out orders');
  expect(dialogue.seen()).not.toMatch(/swapped|Rows flow/);
  expect(await tablesIn(pair)).toMatchObject({ tables: [{ name: 'items' }] });
});
