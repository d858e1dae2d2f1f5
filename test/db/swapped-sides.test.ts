/** Source and destination were exchanged in the settings: no command writes. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { ORDERS_CONFIG, ORDERS_SQL, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const variables = (
  prefix: string,
  { host, port, database, user, password }: ReturnType<Pair['login']>,
): Record<string, string> => ({
  [`${prefix}_HOST`]: host,
  [`${prefix}_PORT`]: String(port),
  [`${prefix}_DB`]: database,
  [`${prefix}_USERNAME`]: user,
  [`${prefix}_PASSWORD`]: password,
});

/** The variables of a pair whose source and destination are exchanged. */
const swappedSides = (pair: Pair): Record<string, string> => ({
  ...variables('SOURCE', pair.login('destination')),
  ...variables('DEST', pair.login('source')),
});

test('after source and destination were exchanged no command writes, and a reset is refused', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query('DELETE FROM orders WHERE id > 2');
  await pair.setEnv(swappedSides(pair));
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'STATE_MISMATCH',
    message: expect.stringMatching(/^source and destination are swapped/),
    hint: 'Exchange the SOURCE_ and DEST_ settings. Nothing was changed.',
  });
  const refused = await increp('reset orders --force', pair);
  expect({ exitCode: refused.exitCode, stderr: refused.stderr }).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/^error: source and destination are swapped: according to the state in/),
  });
  // The role may write there.
  const isUntouched = `SELECT to_regclass('_increp_state') IS NULL AS "isUntouched"`;
  expect((await pair.source.query(isUntouched)).rows).toEqual([{ isUntouched: true }]);
  const checked = await increp('check', pair);
  expect(checked.stdout).toContain('source and destination are swapped');
  expect(checked.stdout).not.toMatch(/At the (source|destination), run/);
  await rm(join(pair.directory, 'sync-state'), { recursive: true });
  expect((await increp('reset --all --force', pair)).stderr).toMatch(
    /^error: source and destination are swapped: the source has the state of pipeline/,
  );
  expect((await pair.source.query(isUntouched)).rows).toEqual([{ isUntouched: true }]);
  for (const flags of ['', 'orders --adopt', 'orders --replace', 'orders --full-refresh']) {
    const { error } = (await trySync(pair, flags)).table();
    expect(error, flags).toMatchObject({
      code: 'STATE_MISMATCH',
      message: expect.stringMatching(
        /^source and destination are swapped: the source has the state of pipeline/,
      ),
      hint: expect.not.stringContaining('--replace') as unknown,
    });
  }
  expect((await increp('plan', pair)).stdout).toContain('source and destination are swapped');
  expect((await pair.source.query('SELECT FROM orders')).rowCount).toBe(10);
});

test('all tables of swapped sides have the same error, also after a reset', async () => {
  const names = ['orders', 'Odd Name', 'big'];
  await using pair = await freshPair({
    ...ordersPreset,
    sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE "Odd Name" (LIKE orders INCLUDING ALL); CREATE TABLE big (LIKE orders INCLUDING ALL)`,
    tables: names.map((name) => ({ ...ORDERS_CONFIG, name })),
  });
  await sync(pair);
  await increp('reset big', pair);
  await rm(join(pair.directory, 'sync-state', 'big.json'), { force: true });
  await pair.setEnv(swappedSides(pair));
  const { tables } = (await trySync(pair)).summary;
  expect(tables.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  expect(new Set(tables.map(({ error }) => error?.message)).size).toBe(1);
  expect(new Set(tables.map(({ error }) => error?.hint))).toEqual(
    new Set(['Exchange the SOURCE_ and DEST_ settings. Nothing was changed.']),
  );
});

slowTest(
  'tables of every batch have the error of swapped sides that the state of one table shows',
  async () => {
    const names = Array.from({ length: 120 }, (_, index) => `t${index}`);
    await using pair = await freshPair({
      ...ordersPreset,
      sourceSql: `${String(ordersPreset.sourceSql)}; ${names.map((name) => `CREATE TABLE ${name} (LIKE orders INCLUDING ALL)`).join('; ')}`,
      tables: names.map((name) => ({ ...ORDERS_CONFIG, name })),
    });
    await sync(pair, 't119');
    await pair.setEnv(swappedSides(pair));
    const { tables } = (await trySync(pair)).summary;
    expect(tables).toHaveLength(120);
    expect(new Set(tables.map(({ error }) => error?.message))).toEqual(
      new Set([expect.stringMatching(/^source and destination are swapped: according to the state in/)]),
    );
  },
);

test('swapped sides say so of a table with another name at the destination, too', async () => {
  await using pair = await freshPair('orders');
  await pair.writeTables([{ ...ORDERS_CONFIG, dest_name: 'w_orders' }]);
  await sync(pair);
  await pair.setEnv(swappedSides(pair));
  const isSwapped = /^source and destination are swapped: according to the state in/;
  expect((await trySync(pair)).table().error?.message).toMatch(isSwapped);
  expect((await increp('reset orders --force', pair)).stderr).toContain('source and destination are swapped');
});

test.each(oneIn(2, ['--adopt', '--replace']))(
  '%s needs --force if the source has the state of a pipeline',
  async (flag) => {
    await using pair = await freshPair({
      ...ordersPreset,
      destinationSql: `${ORDERS_SQL}; INSERT INTO orders VALUES (3, 1, 'theirs')`,
    });
    await pair.source.query(
      `CREATE SCHEMA other; CREATE TABLE other._increp_state (table_name text, pipeline text, record jsonb)`,
    );
    const { error } = (await trySync(pair, `orders ${flag}`)).table();
    expect(error).toMatchObject({ code: 'DESTINATION_NOT_OURS' });
    expect(error?.hint).toMatch(
      new RegExp(`Rows go from .*If it is right, run "increp sync orders ${flag} --force"`),
    );
    expect((await increp(`plan orders ${flag}`, pair)).stdout).toContain('are probably swapped');
    expect((await pair.destination.query(`SELECT FROM orders`)).rowCount).toBe(1);
    await sync(pair, `orders ${flag} --force`);
    await expectSameRows(pair, 'orders');
  },
);

const NAMES = ['orders', 'payments', 'refunds'];
const THREE_TABLES = {
  ...ordersPreset,
  sourceSql: `${String(ordersPreset.sourceSql)}; ${['payments', 'refunds'].map((name) => `CREATE TABLE ${name} (LIKE orders INCLUDING ALL); INSERT INTO ${name} SELECT * FROM orders`).join('; ')}`,
  tables: NAMES.map((name) => ({ ...ORDERS_CONFIG, name })),
};
const ORDERS_COPY = { ...ORDERS_CONFIG, dest_name: 'orders_copy' };
const IS_STATE_THERE = `SELECT to_regclass('_increp_state') IS NOT NULL AS "isThere"`;

test('probably swapped sides: no table of the pipeline is written without --force', async () => {
  await using pair = await freshPair(THREE_TABLES);
  await sync(pair);
  await pair.setEnv({ ...swappedSides(pair), PIPELINE_NAME: 'another', STATE_DIR: 'another-state' });
  await pair.source.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  const byCopy = /^source and destination are probably swapped: a pipeline fills public.orders at the source/;
  await pair.writeTables([ORDERS_COPY]);
  const { error } = (await trySync(pair)).table();
  expect(error).toMatchObject({ code: 'DESTINATION_NOT_OURS', message: expect.stringMatching(byCopy) });
  expect(error?.hint).not.toContain('GRANT');
  await pair.source.query('GRANT CREATE ON SCHEMA public TO PUBLIC');
  // Without the identity of its source, the state does not show where the rows of the table come from.
  await pair.destination.query(`UPDATE _increp_state SET record = record #- '{sourceLife,systemIdentifier}'`);
  await pair.writeTables([ORDERS_COPY, { ...ORDERS_CONFIG, name: 'payments' }]);
  const byRows =
    /^source and destination are probably swapped: .* public.payments at the destination has rows that/;
  expect((await trySync(pair, 'orders')).table().error?.message).toMatch(byRows);
  const { tables } = (await trySync(pair)).summary;
  expect(tables.map((table) => table.error?.code)).toEqual(['DESTINATION_NOT_OURS', 'DESTINATION_NOT_OURS']);
  for (const command of ['plan orders', 'check', 'status'])
    expect((await increp(command, pair)).stdout, command).toContain('are probably swapped');
  expect((await pair.source.query(IS_STATE_THERE)).rows).toEqual([{ isThere: false }]);
  expect((await trySync(pair, 'orders --force')).table().error).toBeNull();
});

test('a pipeline that reads from the destination of another loads new tables without a flag', async () => {
  await using pair = await freshPair(THREE_TABLES);
  await sync(pair);
  await using next = await freshPair({ tables: [ORDERS_CONFIG] });
  await next.setEnv(variables('SOURCE', pair.login('destination')));
  await sync(next);
  await next.destination.query('CREATE TABLE payments AS SELECT * FROM orders');
  await next.destination.query('GRANT SELECT ON payments TO PUBLIC');
  await next.writeTables(NAMES.map((name) => ({ ...ORDERS_CONFIG, name })));
  const { tables } = (await trySync(next)).summary;
  expect(tables.map((table) => table.error?.code)).toEqual([undefined, 'DESTINATION_NOT_OURS', undefined]);
});

slowTest('an opposite pipeline with another name is not taken for swapped sides', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.destination.query(
    'CREATE TABLE back (id int PRIMARY KEY, updated_at timestamptz DEFAULT now())',
  );
  await pair.destination.query('INSERT INTO back VALUES (1)');
  const { user } = pair.login('destination');
  await pair.destination.query(`ALTER TABLE back OWNER TO ${user}`);
  await pair.setEnv({ ...swappedSides(pair), PIPELINE_NAME: 'opposite' });
  await pair.writeTables([{ name: 'back', replication_key: 'updated_at', unique_cols: ['id'] }]);
  expect((await trySync(pair)).table().error?.code).not.toBe('STATE_MISMATCH');
});

slowTest('swapped sides say so before anything about names and privileges', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  await pair.setEnv(swappedSides(pair));
  await rm(join(pair.directory, 'sync-state'), { recursive: true });
  await pair.source.query('DROP TABLE orders; REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  const { error } = (await trySync(pair)).table();
  expect(error?.message).toMatch(/^source and destination are swapped/);
  expect((await pair.source.query(`SELECT to_regclass('_increp_state') AS there`)).rows).toEqual([
    { there: null },
  ]);
});
