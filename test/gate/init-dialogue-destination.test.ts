/** The questions of `increp init` about the destination and its tables, on a real pseudo terminal. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { expect, test } from 'vitest';
import { CTRL_C, DOWN, ENTER, startDialogue, TAB, UP } from '../support/dialogue.ts';
import { increp } from '../support/increp.ts';
import { waitUntil } from '../support/activity.ts';
import { freshPair } from '../support/pair.ts';
import { ordersPreset } from '../support/shop.ts';
import { slowTest } from '../support/tier.ts';
import { SHOP, settled, tablesIn } from '../support/init-dialogue.ts';

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
    expect(dialogue.seen()).toMatch(/source and destination are probably swapped/i);
    await dialogue.answer('● Yes: continue', ENTER);
    expect(await dialogue.wait()).toBe(0);
    expect(dialogue.seen()).toMatch(/increp\s+help DESTINATION_NOT_OURS/);
    expect(dialogue.seen()).not.toMatch(/--adopt|--replace/);
  },
);

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
