/** `increp init` in scripts: settings that cannot work, and signs that the sides are swapped. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { ordersPreset } from '../support/shop.ts';
import { slowTest } from '../support/tier.ts';
import { side, variables, init, written, type InitJson } from '../support/init.ts';

describe('what is refused before anything is written', () => {
  test.each([
    ['no connection at all', {}, 64, /the source: SOURCE_URL.*--source-url/],
    ['half a connection', { SOURCE_HOST: 'h', DEST_HOST: 'h' }, 78, /SOURCE_USERNAME: not set/],
    ['only passwords', { SOURCE_PASSWORD: 'x', DEST_PASSWORD: 'x' }, 64, /the destination: DEST_URL/],
  ])('%s', async (_what, env, exitCode, said) => {
    await using pair = await freshPair(ordersPreset);
    const result = await init(pair, '--all-tables', env);
    expect(result.exitCode).toBe(exitCode);
    expect(result.stderr).toMatch(said);
    expect(await written(pair)).toBe('nothing');
  });

  test('a wrong password, a schema without tables, and the same database twice', async () => {
    await using pair = await freshPair(ordersPreset);
    const wrong = await init(pair, '--yes --all-tables', {
      ...variables(pair),
      SOURCE_PASSWORD: 'Wr0ngAnyway',
    });
    expect([wrong.exitCode, wrong.stderr]).toEqual([77, expect.stringContaining('SOURCE_PASSWORD')]);
    const empty = await init(pair, '--yes --all-tables --source-schema nowhere');
    expect([empty.exitCode, empty.stderr]).toEqual([78, expect.stringContaining('public (1 table)')]);
    const same = await init(pair, '--yes --all-tables', {
      ...side(pair, 'SOURCE', 'source'),
      ...side(pair, 'DEST', 'source'),
    });
    expect([same.exitCode, same.stderr]).toEqual([78, expect.stringContaining('are the same')]);
    expect(await written(pair)).toBe('nothing');
  });
});

describe('signs that source and destination are swapped', () => {
  const swapped = (pair: Pair) => ({
    ...side(pair, 'SOURCE', 'destination'),
    ...side(pair, 'DEST', 'source'),
  });

  const allowWrites = async (pair: Pair) => {
    const { user } = pair.login('source', 'increp');
    await pair.source.query(`GRANT CREATE ON SCHEMA public TO ${user}`);
  };

  test('a pipeline that writes to the source and reads from the destination is refused', async () => {
    await using pair = await freshPair(ordersPreset);
    await increp('sync', pair);
    await allowWrites(pair);
    const refused = await init(pair, '--yes --all-tables', swapped(pair));
    expect(refused.exitCode).toBe(1);
    const said = refused.stderr.replaceAll(/\s+/g, ' ');
    expect(said).toMatch(/source and destination are probably swapped: .*: orders \(10 rows\)/);
    expect(said).toMatch(
      /Rows would go from \S+ to \S+\. .*exchange.*--dest-schema.*on a terminal: increp .*init $/,
    );
    expect(said).not.toMatch(/--adopt|--replace/);
    expect(await written(pair)).toBe('nothing');
    await pair.source.query('TRUNCATE orders');
    const empty = await init(pair, '--yes --all-tables', swapped(pair));
    expect([empty.exitCode, empty.stderr]).toEqual([1, expect.stringContaining('are probably swapped')]);
  });

  slowTest(
    'so is a source with the state of any pipeline if the destination has rows of its own',
    async () => {
      await using pair = await freshPair({
        ...ordersPreset,
        destinationSql: 'CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)',
      });
      await pair.source.query(
        `CREATE SCHEMA other; CREATE TABLE other._increp_state (table_name text, pipeline text, record jsonb)`,
      );
      const refused = await init(pair, '--yes --all-tables');
      expect([refused.exitCode, refused.stderr]).toEqual([
        1,
        expect.stringContaining('are probably swapped'),
      ]);
      expect(refused.stderr).not.toMatch(/--adopt|--replace/);
      await pair.destination.query('TRUNCATE orders');
      expect((await init(pair, '--yes --all-tables')).exitCode).toBe(0);
    },
  );

  test('a source that another pipeline fills is only a warning', async () => {
    await using pair = await freshPair(ordersPreset);
    await pair.source.query(
      `CREATE TABLE _increp_state (table_name text, pipeline text, record jsonb);
       INSERT INTO _increp_state VALUES ('orders', 'shop', '{}');
       GRANT SELECT ON _increp_state TO ${pair.login('source', 'increp').user}`,
    );
    const { warnings } = (await init(pair, '--all-tables --json')).json<InitJson>();
    expect(warnings).toEqual([
      expect.stringMatching(
        /^pipeline "shop" writes these source tables: orders\. Check that source and destination are not swapped/,
      ),
    ]);
  });

  test('an empty source, and a destination that refuses writes, say so', async () => {
    await using pair = await freshPair(ordersPreset);
    const { user } = pair.login('source', 'increp');
    await pair.source.query(`GRANT CREATE ON SCHEMA public TO ${user}`);
    const empty = await init(pair, '--yes --all-tables', swapped(pair));
    expect([empty.exitCode, empty.stderr]).toEqual([78, expect.stringContaining('are not swapped.')]);
    await pair.source.query(`REVOKE CREATE ON SCHEMA public FROM ${user}`);
    await pair.destination.query('CREATE TABLE other (id int PRIMARY KEY)');
    const refused = await init(pair, '--yes --all-tables', swapped(pair));
    expect([refused.exitCode, refused.stderr]).toEqual([
      77,
      expect.stringMatching(
        /may not create tables.*\n.*GRANT .*\n.*check that source and destination are not swapped/,
      ),
    ]);
    expect(await written(pair)).toBe('nothing');
  });

  test('two schemas of one database are a warning, with the direction', async () => {
    await using pair = await freshPair(ordersPreset);
    const { user, database } = pair.login('source', 'increp');
    await pair.source.query(`GRANT CREATE ON DATABASE ${database} TO ${user}`);
    const env = { ...side(pair, 'SOURCE', 'source'), ...side(pair, 'DEST', 'source') };
    const { stdout } = await init(pair, '--yes --all-tables --dest-schema other', env);
    expect(stdout).toMatch(/from {2}\S+, schema public\n {2}to {4}\S+, schema other\n/);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      'one database: rows go from schema "public" to schema "other"',
    );
  });
});

test('a password command runs before the directory exists', async () => {
  await using pair = await freshPair(ordersPreset);
  const { SOURCE_PASSWORD: password, ...env } = variables(pair);
  const secret = join(pair.directory, 'secret');
  await writeFile(secret, `${password}\n`);
  const SOURCE_PASSWORD_COMMAND = `cat '${secret}'`;
  const { exitCode, stderr } = await init(pair, '--yes --tables orders', { ...env, SOURCE_PASSWORD_COMMAND });
  await rm(secret);
  expect(exitCode, stderr).toBe(0);
});
