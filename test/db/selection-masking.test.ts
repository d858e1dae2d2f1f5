/** Values that a selection masks or hides: they do not travel, and increp reports where older ones stay. */
import { describe, expect, test } from 'vitest';
import { rememberSecrets } from '../support/canaries.ts';
import { goThrough } from '../support/chunked.ts';
import { expectCopyOf, selecting, touch } from '../support/customers.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { faultProxy } from '../support/proxy.ts';
import { sync, trySync } from '../support/sync.ts';

/** How often these bytes came from the source while a command ran. */
async function seenOnTheWay(pair: Pair, bytes: string, work: () => Promise<unknown>): Promise<number> {
  await using proxy = await faultProxy(pair.login('source'));
  await goThrough(pair, 'source', proxy);
  proxy.when({ from: 'server', seen: bytes, fault: 'cut', times: 100 });
  await work();
  await goThrough(pair, 'source', pair.login('source'));
  return proxy.fired;
}

/** Whether the server's log of changes, which everything goes through that it writes, holds these bytes. */
const isInWal = async ({ destination }: Pair, bytes: string): Promise<boolean> => {
  const { rowCount } = await destination.query(
    `SELECT FROM pg_ls_waldir() w WHERE position(convert_to($1, 'UTF8') IN pg_read_binary_file('pg_wal/' || w.name)) > 0`,
    [bytes],
  );
  return rowCount !== 0;
};

/** Files of the database itself, once all of it is on disk. */
const isInFiles = async ({ destination }: Pair, bytes: string): Promise<boolean> => {
  await destination.query('CHECKPOINT');
  const { rowCount } = await destination.query(
    `SELECT FROM (SELECT 'base/' || oid AS path FROM pg_database WHERE datname = current_database()) d,
       pg_ls_dir(d.path) f WHERE position(convert_to($1, 'UTF8') IN pg_read_binary_file(d.path || '/' || f)) > 0`,
    [bytes],
  );
  return rowCount !== 0;
};

test('what is masked never travels: not on the wire, not in a file of the destination, in no log and no state', async () => {
  const [secret, open] = ['Zq7ClearTextOfEmail', 'Zq7OpenTextOfStatus'];
  await using pair = await freshPair(
    selecting({ transform: { email: 'md5(email)' }, exclude_columns: ['password_hash'] }),
  );
  const write = () =>
    pair.source.query(
      `UPDATE customers SET email = '${secret}' || id, password_hash = '${secret}', status = '${open}', updated_at = now() WHERE id < 9`,
    );
  await write();
  rememberSecrets(pair.directory, { SOURCE_PASSWORD: secret });
  const everything = async () => {
    await sync(pair, '-vv');
    await write();
    await sync(pair, '--verify');
    expect((await increp('verify', pair)).exitCode).toBe(0);
    await pair.destination.query(`UPDATE customers SET email = 'broken' WHERE id = 3`);
    expect((await increp('verify --repair', pair)).stdout).toContain('1 updated');
    await increp('plan', pair);
    await increp('check', pair);
  };
  expect(await seenOnTheWay(pair, secret, everything)).toBe(0);
  await expectCopyOf(pair, 'SELECT id, md5(email), phone, status, updated_at FROM public.customers');
  expect(await isInWal(pair, secret)).toBe(false);
  expect(await isInFiles(pair, secret)).toBe(false);
  // These would find it.
  expect(await isInWal(pair, open)).toBe(true);
  expect(await isInFiles(pair, open)).toBe(true);
  await write();
  expect(await seenOnTheWay(pair, open, () => trySync(pair))).toBeGreaterThan(0);
});

describe('values that the selection hides', () => {
  const hiding = (change: object) =>
    selecting({
      where: "status = 'active'",
      transform: { email: 'md5(email)::varchar(80)' },
      exclude_columns: ['password_hash'],
      ...change,
    });
  const flat = async (command: string, pair: Pair) =>
    (await increp(command, pair)).stdout.replaceAll(/\s+/g, ' ');

  test('stay in kept rows and columns: the hint, plan, check and the sync say so, and how to remove them', async () => {
    await using pair = await freshPair(selecting({ delete_limit: 0.1 }));
    await sync(pair);
    await pair.writeTables(hiding({ delete_limit: 0.1 }).tables ?? []);
    const update = `UPDATE "public"."customers" SET "email" = NULL WHERE (status = 'active') IS NOT TRUE`;
    const drop = 'ALTER TABLE "public"."customers" DROP COLUMN "password_hash"';
    const hint = (await trySync(pair)).table().error?.hint;
    expect(hint).toContain(`run at the destination: ${update}.`);
    expect(hint).toContain(drop);
    await pair.writeTables(hiding({ deletes: 'keep' }).tables ?? []);
    const check = await flat('check', pair);
    expect(check).toContain(
      'rows that the source no longer has or that no longer match where keep their values of "email" from before the new "transform" [KEPT_ROWS]',
    );
    expect(check).toContain('[EXCLUDED_COLUMN_KEPT]');
    const plan = await flat('plan', pair);
    const warnings = (await sync(pair)).table().warnings.join('\n');
    for (const statement of [update, drop]) {
      expect(plan).toContain(statement);
      expect(warnings).toContain(statement);
    }
    await pair.destination.query(update);
    await sync(pair, '--full-refresh');
    expect(await flat('check', pair)).toContain(
      'column "password_hash" of public.customers keeps its values, although it is in "exclude_columns" [EXCLUDED_COLUMN_KEPT]',
    );
    await pair.destination.query(drop);
    await sync(pair);
    expect(await flat('check', pair)).not.toContain('_KEPT]');
    const clear = await pair.destination.query("SELECT FROM customers WHERE email LIKE '%@%'");
    expect(clear.rowCount).toBe(0);
  });

  test('stay in rows that are marked as deleted', async () => {
    await using pair = await freshPair(selecting({ deletes: 'soft', delete_limit: 0.1 }));
    await sync(pair);
    await pair.writeTables(hiding({ deletes: 'soft', delete_limit: 0.1 }).tables ?? []);
    expect(await flat('plan', pair)).toMatch(/ marks: \d+ of \d+ rows .* would be refused: .* would mark /);
    const { error } = (await trySync(pair)).table();
    expect(error?.hint).toMatch(/If increp may mark these rows.* In both cases, rows that /);
    const forced = await sync(pair, 'customers --force');
    expect(forced.stdout).toContain('marked as deleted');
    const [update = ''] =
      /UPDATE .* "_deleted_at" IS NOT NULL/.exec(forced.table().warnings.join('\n')) ?? [];
    await pair.destination.query(update);
    const clear = await pair.destination.query("SELECT FROM customers WHERE email LIKE '%@%'");
    expect(clear.rowCount).toBe(0);
  });

  test('a load that removes rows does not say that these stay', async () => {
    await using pair = await freshPair(selecting({ delete_limit: 1 }));
    await sync(pair);
    await pair.writeTables(hiding({ delete_limit: 1 }).tables ?? []);
    const check = await flat('check', pair);
    expect(check).toContain('[LOAD_REMOVES]');
    expect(check).not.toContain('[WHERE_LEAVES_ROWS]');
  });
});

test('a masked column that is renamed at the source does not arrive', async () => {
  const masking = (more: object) => selecting({ transform: { email: "'hidden'::text" }, ...more });
  await using pair = await freshPair(masking({}));
  await sync(pair);
  await pair.source.query('ALTER TABLE customers RENAME email TO mail');
  await touch(pair, "mail = 'secret'", 'id = 1');
  const arrived = () => pair.destination.query(`SELECT FROM customers c WHERE c::text ~ 'secret|Person'`);
  for (const on_schema_change of ['reset', 'evolve']) {
    await pair.writeTables(masking({ on_schema_change }).tables ?? []);
    expect((await trySync(pair)).table().error).toMatchObject({
      code: 'COLUMN_NOT_FOUND',
      message: expect.stringContaining('"email" is now "mail", so its values would be copied as they are'),
      hint: expect.stringContaining(`"transform": {"mail":"'hidden'::text"}`),
    });
    expect((await arrived()).rowCount).toBe(0);
  }
  await pair.writeTables(
    selecting({ transform: { mail: "'hidden'::text" }, rename: { mail: 'email' } }).tables ?? [],
  );
  await sync(pair);
  await expectCopyOf(
    pair,
    `SELECT id, 'hidden', phone, status, password_hash, updated_at FROM public.customers`,
  );
  await pair.writeTables(selecting({ transform: { mial: "'hidden'::text" } }).tables ?? []);
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'COLUMN_NOT_FOUND',
    message: expect.stringContaining(
      'has "mial" in place of "mail", so the values of "mail" would be copied',
    ),
  });
  expect((await arrived()).rowCount).toBe(0);
  // Without a mask before, the new column may be meant. The load says it once, with -q too.
  await pair.writeTables(selecting({}).tables ?? []);
  await sync(pair);
  await pair.writeTables(selecting({ transform: { mial: "'hidden'::text" } }).tables ?? []);
  const said = expect.stringContaining('makes a new column "mial", and "mail" is copied as it is. If "mail"');
  expect((await increp('plan --json', pair)).json()).toMatchObject({ tables: [{ warnings: [said] }] });
  expect((await sync(pair)).table()).toMatchObject({ action: 'reset', warnings: [said] });
  expect((await sync(pair)).table().warnings).toEqual([]);
  expect((await increp('check', pair)).stdout).toMatch(
    /new column "mial", and "mail" is .*\[TRANSFORM_NAME\]/s,
  );
});

test('a materialized view that keeps values from before a new transform is named with its REFRESH', async () => {
  await using pair = await freshPair(selecting({ transform: { email: 'lower(email)' } }));
  await sync(pair);
  await pair.destination.query(`
    CREATE VIEW people AS SELECT id, email FROM customers;
    CREATE MATERIALIZED VIEW mails AS SELECT email FROM people;
    CREATE MATERIALIZED VIEW numbers AS SELECT id FROM customers`);
  await pair.writeTables(selecting({ transform: { email: 'md5(email)' } }).tables ?? []);
  const statement = 'REFRESH MATERIALIZED VIEW public.mails;';
  const { stdout } = await increp('plan', pair);
  expect(stdout).toContain(statement);
  expect(stdout).not.toContain('REFRESH MATERIALIZED VIEW public.numbers');
  expect((await sync(pair)).table().warnings.join()).toContain(statement);
  expect((await sync(pair)).table().warnings).toEqual([]);
});
