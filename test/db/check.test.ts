/** Findings of `check` when all is well and when much is wrong at once; it writes nothing. */
import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { check, obey } from '../support/check.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

test('where all is well it says so, before and after the first sync', async () => {
  await using pair = await freshPair('orders');
  expect(await check(pair)).toMatchObject({
    exitCode: 0,
    errors: [],
    warnings: [],
    notes: ['SERVER_INFO', 'PG_DUMP', 'KEY_WITHOUT_TRIGGER', 'DELETED_ROWS'],
  });
  await sync(pair);
  expect(await check(pair)).toMatchObject({
    exitCode: 0,
    errors: [],
    warnings: [],
    notes: ['SERVER_INFO', 'PG_DUMP', 'KEY_WITHOUT_TRIGGER', 'DELETED_ROWS'],
  });
  const { stdout, exitCode } = await increp('check', pair);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    /^ {2}- note {5}source: PostgreSQL \d+\.\d+, no TLS; destination: PostgreSQL \d+\.\d+, no TLS \[SERVER_INFO\]$/m,
  );
  expect(stdout).toMatch(/^0 errors, 0 warnings: no problems found\.$/m);
});

test('all that is wrong with a table is told at once, by check and by plan', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [{ ...ORDERS_CONFIG, replication_key: 'note', unique_cols: ['idd', 'od'] }],
    destinationSql: 'CREATE VIEW orders AS SELECT 1 AS id',
  });
  const { exitCode, errors, findings } = await check(pair);
  expect({ exitCode, errors }).toEqual({
    exitCode: 78,
    errors: ['COLUMN_NOT_FOUND', 'COLUMN_NOT_FOUND', 'KEY_TYPE_UNSUPPORTED', 'DEPENDENT_OBJECTS'],
  });
  const { stdout } = await increp('plan', pair);
  const words = stdout.replaceAll(/\s+/g, ' ');
  for (const { message } of findings.filter(({ level }) => level === 'error'))
    expect(words).toContain(message);
});

slowTest('names with quotes are printed so that the statement can be run', async () => {
  const name = `Or"der's`;
  await using pair = await freshPair({
    schema: `Sh"op`,
    tables: [{ name, replication_key: `A"t`, unique_cols: ['id'] }],
    sourceSql: `CREATE TABLE "Or""der's" (id int PRIMARY KEY, "A""t" timestamptz);
      REVOKE ALL ON "Or""der's" FROM PUBLIC`,
  });
  await pair.source.query(
    `REVOKE ALL ON ALL TABLES IN SCHEMA "Sh""op" FROM ${pair.login('source', 'increp').user}`,
  );
  await obey((await check(pair)).find('PRIVILEGE_MISSING')?.action, pair.source);
  await obey((await check(pair)).find('KEY_NOT_INDEXED')?.action, pair.source);
  expect(await check(pair)).toMatchObject({ exitCode: 0, warnings: [] });
});

test('both sides are tried: two mistakes are two findings', async () => {
  await using pair = await freshPair('orders');
  await pair.setEnv({ SOURCE_PASSWORD: 'wrong', DEST_PORT: '1' });
  const { errors, exitCode, findings } = await check(pair);
  expect({ errors, exitCode }).toEqual({
    errors: ['AUTHENTICATION_FAILED', 'CONNECTION_FAILED'],
    exitCode: 77,
  });
  expect(JSON.stringify(findings)).toMatch(/SOURCE_PASSWORD.*DEST_HOST and DEST_PORT/s);
  expect(JSON.stringify(findings)).not.toContain(pair.login('destination', 'increp').password);
});

test('check, plan and status write nothing anywhere, before and after the first sync', async () => {
  await using pair = await freshPair('orders');
  const relations = `SELECT n.nspname, c.relname, c.relfilenode, c.xmin FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2`;
  const state = async () => ({
    source: (await pair.source.query(relations)).rows,
    destination: (await pair.destination.query(relations)).rows,
    files: await readdir(pair.directory, { recursive: true }),
  });
  const commands = ['check', 'plan', 'plan --full-refresh --deletes', 'status'];
  for (const isSynced of [false, true]) {
    if (isSynced) {
      await sync(pair);
      await pair.source.query('ALTER TABLE orders ADD extra int');
    }
    const rows = async () =>
      isSynced
        ? (
            await pair.destination.query(
              'SELECT xmin, ctid FROM _increp_state UNION ALL SELECT xmin, ctid FROM _increp_runs',
            )
          ).rows
        : [];
    const before = { ...(await state()), rows: await rows() };
    for (const command of commands) await increp(command, pair);
    expect({ ...(await state()), rows: await rows() }).toEqual(before);
  }
});
