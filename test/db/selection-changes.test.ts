/** The selection changes later, or the columns that it names change at the source. */
import { describe, expect, test } from 'vitest';
import { expectCopyOf, selecting } from '../support/customers.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

test('a dropped column that the selection names is to be removed from these options', async () => {
  const naming = (selection: object) =>
    selecting({ columns: ['id', 'email', 'status', 'updated_at', 'phone'], ...selection });
  const transform = { phone: 'left(phone, 2)', email: "email || coalesce(phone, '')", status: "'x'::text" };
  await using pair = await freshPair(naming({ transform, rename: { phone: 'tel' } }));
  await sync(pair);
  await pair.source.query('ALTER TABLE customers DROP phone');
  expect((await trySync(pair)).table().error).toMatchObject({
    code: 'COLUMN_NOT_FOUND',
    message:
      'the source no longer has column "phone" of public.customers, which "columns", "transform", "rename", "transform.email" name',
    hint: 'Remove "phone" from "columns", "transform", "rename" of table "customers" in tables-config.json. Change the SQL in "transform.email" of table "customers" so that it does not use "phone". To see what the next sync then changes at the destination, run: "increp plan".',
  });
  // Made by a transform, the column exists. The SQL is at fault.
  await pair.writeTables(selecting({ transform: { phone: 'left(phone, 2)' } }).tables ?? []);
  expect((await trySync(pair)).table().error).toMatchObject({
    message: expect.stringMatching(/ column "phone" of public.customers, which "transform" names$/),
  });
  await pair.writeTables(selecting({ where: 'phonee IS NULL' }).tables ?? []);
  expect((await trySync(pair)).table().error).toMatchObject({ code: 'SQL_INVALID' });
  await pair.writeTables(selecting({}).tables ?? []);
  await sync(pair);
});

describe('a selection that is changed later', () => {
  const reset = async (pair: Pair, was: object, now: object) => {
    await pair.writeTables(selecting(was).tables ?? []);
    await sync(pair);
    await pair.writeTables(selecting(now).tables ?? []);
    return (await sync(pair)).table();
  };

  test.each(
    oneIn(3, [
      [{ where: 'id > 10' }, { where: 'id > 20' }, 'where changed to: id > 20'],
      [{}, { where: 'id > 20' }, 'where is new: id > 20'],
      [{}, { exclude_columns: ['phone'] }, 'column "phone" is no longer copied (exclude_columns)'],
      [
        { columns: ['id', 'updated_at'] },
        {},
        'column "email" is copied now (columns); column "phone" is copied now (columns)',
      ],
      [{}, { transform: { email: 'md5(email)' } }, 'transform of "email" is new: md5(email)'],
      [
        { transform: { email: 'md5(email)' } },
        { transform: { email: 'length(email)' } },
        'transform of "email" changed to: length(email)',
      ],
      [{ transform: { x: '1' } }, {}, 'transform of "x" was removed: 1'],
    ]),
  )('from %j to %j', async (was, now, reason) => {
    await using pair = await freshPair(selecting({}));
    const table = await reset(pair, was, now);
    expect(table).toMatchObject({ action: 'reset' });
    expect(table.reason).toContain(reason);
    expect(table.reason).not.toContain('at the source');
    expect((await sync(pair)).table().action).toBe('incremental');
    await expectSelected(pair, now);
  });

  test('is refused where on_schema_change says so', async () => {
    await using pair = await freshPair(selecting({ on_schema_change: 'fail', where: 'id > 10' }));
    await sync(pair);
    await pair.writeTables(selecting({ on_schema_change: 'fail' }).tables ?? []);
    expect((await trySync(pair)).table().error).toMatchObject({
      code: 'SCHEMA_CHANGE_REFUSED',
      message: expect.stringContaining('where was removed: id > 10') as string,
    });
  });
});

/** The select list of a selection, by its own words. */
async function expectSelected(
  pair: Pair,
  {
    where = 'true',
    columns,
    exclude_columns: excluded = [],
    transform = {},
  }: {
    where?: string;
    columns?: readonly string[];
    exclude_columns?: readonly string[];
    transform?: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const all = ['id', 'email', 'phone', 'status', 'password_hash', 'updated_at'];
  const names = all.filter((name) => columns?.includes(name) ?? !excluded.includes(name));
  const list = names.map((name) => transform[name] ?? name).join(', ');
  await expectCopyOf(pair, `SELECT ${list} FROM public.customers WHERE ${where}`);
}

slowTest(
  'what the source changes of columns that are not read is no drift; what is read is refused when it has gone',
  async () => {
    await using pair = await freshPair(
      selecting({ columns: ['id', 'email', 'updated_at'], transform: { email: 'lower(email)' } }),
    );
    await sync(pair);
    await pair.source.query(`ALTER TABLE customers ADD extra int DEFAULT 1; ALTER TABLE customers DROP phone;
    ALTER TABLE customers ALTER status TYPE varchar(20)`);
    expect((await sync(pair)).table()).toMatchObject({ action: 'incremental' });
    await pair.source.query('ALTER TABLE customers RENAME email TO mail');
    expect((await trySync(pair)).table().error).toMatchObject({ code: 'COLUMN_NOT_FOUND' });
    await pair.writeTables(selecting({ columns: ['id', 'email', 'updated_at'] }).tables ?? []);
    expect((await trySync(pair)).table().error).toMatchObject({
      code: 'COLUMN_NOT_FOUND',
      message: expect.stringContaining('"email" is now "mail"') as string,
    });
    // With the others left out by name, a new one is copied.
    await pair.writeTables(selecting({ exclude_columns: ['password_hash'] }).tables ?? []);
    await sync(pair);
    await pair.source.query('ALTER TABLE customers ADD late int DEFAULT 7');
    expect((await sync(pair)).table().reason).toBe('column "late" (integer) was added at the source');
    await expectCopyOf(pair, 'SELECT id, mail, status, updated_at, extra, late FROM public.customers');
  },
);
