/** Tables that a pattern does not mean, and a table of which nothing can be copied. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

slowTest('a pattern leaves out tables without columns, and those that belong to an extension', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [{ name: '*', mode: 'full-refresh' }],
    isOwn: true,
  });
  await pair.source.query(`CREATE TABLE none (); INSERT INTO none DEFAULT VALUES;
    CREATE TABLE dropped (a int); INSERT INTO dropped VALUES (1); ALTER TABLE dropped DROP COLUMN a;
    CREATE TABLE part_of_it (a int); CREATE EXTENSION pg_trgm; ALTER EXTENSION pg_trgm ADD TABLE part_of_it`);
  for (const command of ['check', 'plan']) expect((await increp(command, pair)).exitCode, command).toBe(0);
  expect((await sync(pair)).summary.tables.map(({ name }) => name)).toEqual(['orders']);
  expect((await increp('verify', pair)).exitCode).toBe(0);
});

test.each(['pg_dump', 'copy', 'auto'])(
  'a table without columns is refused for that reason: %s',
  async (loader) => {
    await using pair = await freshPair({
      ...ordersPreset,
      tables: [
        { name: 'none', mode: 'full-refresh', initial_load: loader },
        { name: 'orders', mode: 'full-refresh' },
      ],
    });
    await pair.source.query(
      `CREATE TABLE none (); INSERT INTO none DEFAULT VALUES; GRANT SELECT ON none TO ${pair.login('source', 'increp').user}`,
    );
    const { exitCode, table } = await trySync(pair);
    expect(exitCode).toBe(3);
    expect(table('orders').status).toBe('ok');
    expect(table('none').error).toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'public.none has no columns, so there is nothing to copy',
    });
  },
);
