/** `increp init` in scripts: what is at the destination already, and where a role may write. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { slowTest } from '../support/tier.ts';
import { init, type InitJson } from '../support/init.ts';

slowTest('a table of the destination with rows that increp did not write is a warning', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    destinationSql: `CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 3)`,
  });
  const { warnings } = (await init(pair, '--all-tables --json')).json<InitJson>();
  expect(warnings).toEqual([
    expect.stringMatching(
      /^these destination tables have rows that increp did not write, so a sync refuses them: orders \(3 rows\)\. .*not swapped\.[^]*--dest-schema[^]*cannot keep orders and repair its rows \(--adopt\): column "id" is integer[^]*orders --replace"\.$/,
    ),
  ]);
  await pair.destination.query('TRUNCATE orders');
  expect((await init(pair, '--all-tables --json --force')).json<InitJson>().warnings).toEqual([]);
  expect((await increp('-C new sync', pair)).exitCode).toBe(0);
  expect((await init(pair, '--all-tables --json --force')).json<InitJson>().warnings).toEqual([]);
  await pair.destination.query('DROP TABLE _increp_state');
  expect((await init(pair, '--all-tables --json --force')).json<InitJson>().warnings).toEqual([]);
  await rm(join(pair.directory, 'new', 'sync-state'), { recursive: true });
  expect((await init(pair, '--all-tables --json --force')).json<InitJson>().warnings).toHaveLength(1);
});

test('a role that may write in one schema gets its name, after a misspelt source schema', async () => {
  await using pair = await freshPair({ ...ordersPreset, isOwn: true });
  const { user, database } = pair.login('destination', 'increp');
  await pair.destination.query(
    `ALTER DATABASE ${database} OWNER TO CURRENT_USER; ALTER SCHEMA public OWNER TO CURRENT_USER;
     REVOKE ALL ON SCHEMA public FROM PUBLIC, ${user}; CREATE SCHEMA replica AUTHORIZATION ${user}`,
  );
  const misspelt = await init(pair, '--yes --all-tables --source-schema pubilc');
  expect(misspelt.stderr).toContain('the source has no schema "pubilc"');
  const way = '--dest-schema) to a schema where this role may create tables: replica.\n';
  const closed = await init(pair, '--yes --all-tables --dest-schema public');
  expect(closed.stderr).toContain(way);
  const missing = await init(pair, '--yes --all-tables --dest-schema shop');
  expect(missing.stderr).toMatch(/run: CREATE SCHEMA "shop" AUTHORIZATION "\w+"\n/);
  expect(missing.stderr).toContain(way);
});

test('a table of the destination that increp may not read or write is a warning', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    sourceSql: `${ORDERS_SQL}; CREATE TABLE items (id int PRIMARY KEY, updated_at timestamptz)`,
    destinationSql: 'CREATE TABLE orders (id int); CREATE VIEW items AS SELECT 1 AS id',
  });
  await pair.destination.query('REVOKE ALL ON orders FROM PUBLIC; ALTER TABLE orders OWNER TO CURRENT_USER');
  await pair.destination.query(
    `REVOKE ALL ON orders FROM ${pair.login('destination', 'increp').user} CASCADE`,
  );
  const { warnings } = (await init(pair, '--all-tables --json')).json<InitJson>();
  expect(warnings).toEqual([
    expect.stringMatching(
      /^public\.items at the destination is a view.*\(increp cannot write to these either: orders\)\. Rename it/,
    ),
  ]);
  const { warnings: one } = (await init(pair, '--tables orders --json --force')).json<InitJson>();
  expect(one).toEqual([
    expect.stringMatching(
      /^role "\w+" may not read public\.orders at the dest.*, whose owner is ".*"dest_name"/,
    ),
  ]);
  const { stdout } = await init(pair, '--yes --all-tables --force');
  expect(stdout).toContain('2 tables and their keys; a sync refuses 2 of them');
  expect(stdout).toContain('A sync refuses, because of the destination: items, orders\n');
});

test('destination tables of another pipeline are a warning with harmless ways', async () => {
  await using pair = await freshPair(ordersPreset);
  await increp('sync', pair);
  const { warnings } = (await init(pair, '--all-tables --json --pipeline-name another')).json<InitJson>();
  expect(warnings).toEqual([
    expect.stringMatching(
      /^pipeline "(\S+)" writes these destination tables, so a sync of pipeline "another" refuses them: orders\. If this is the same pipeline, use --pipeline-name \1\. If not, .*--dest-schema.*"dest_name"/,
    ),
  ]);
  expect((await increp('-C new sync', pair)).exitCode).toBe(1);
  await increp('reset orders', pair);
  const again = (await init(pair, '--all-tables --json --force --pipeline-name another')).json<InitJson>();
  expect(again.warnings).toEqual(warnings);
});
