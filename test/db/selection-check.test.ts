/** Refused selections, the privileges that a selection needs, and the output of `plan` and `check`. */
import { expect, test } from 'vitest';
import { CUSTOMERS, expectCopyOf, selecting, touch } from '../support/customers.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const REFUSED: readonly (readonly [change: object, code: string, what: RegExp, hint?: RegExp])[] = [
  [
    { where: "status = 'a' AND\n  statu = 'b'" },
    'SQL_INVALID',
    /"where" of "customers_0": column "statu" does not exist\n {4}2 \| {3}statu = 'b'\n {10}\^$/,
  ],
  [{ where: 'id' }, 'SQL_INVALID', /"where" .* must be type boolean/],
  [{ where: 'count(*) > 1' }, 'SQL_INVALID', /aggregate functions are not allowed in WHERE/],
  [
    { transform: { email: 'mask(email)' } },
    'SQL_INVALID',
    /"transform.email" .*mask.* does not exist/,
    /Names outside pg_catalog need their schema in front/,
  ],
  [{ transform: { email: 'max(email)' } }, 'SQL_INVALID', /not allowed in transform/],
  [{ transform: { email: 'row_number() OVER ()' } }, 'SQL_INVALID', /not allowed in transform/],
  [{ transform: { email: 'generate_series(1, 2)' } }, 'SQL_INVALID', /not allowed in transform/],
  [{ transform: { email: '(SELECT 1, 2)' } }, 'SQL_INVALID', /subquery/],
  [{ transform: { email: '1, 2' } }, 'SQL_INVALID', /"transform.email" .* is of type record/],
  [{ transform: { phone: "'ü😀' || fone" } }, 'SQL_INVALID', /1 \| 'ü😀' \|\| fone\n {16,17}\^/],
  [{ transform: { email: '1 / 0' } }, 'SQL_INVALID', /division by zero/],
  [
    { columns: ['id', 'emial', 'updated_at'] },
    'COLUMN_NOT_FOUND',
    /no column "emial" \(columns\); did you mean "email"/,
  ],
  [
    { exclude_columns: ['password'] },
    'COLUMN_NOT_FOUND',
    /\(exclude_columns\); did you mean "password_hash"/,
  ],
  [{ unique_cols: ['nr'], transform: { x: '1' } }, 'COLUMN_NOT_FOUND', /no column "nr" \(unique_cols\)/],
];

slowTest(
  'SQL and names that mean nothing are refused before anything is touched, each by itself',
  async () => {
    const configs = [...REFUSED.map(([change]) => change), { where: 'true' }].map((change, index) => ({
      replication_key: 'updated_at',
      unique_cols: ['id'],
      initial_load: 'copy',
      ...change,
      name: `customers_${index}`,
    }));
    const copies = configs.map(
      ({ name }) => `CREATE TABLE ${name} (LIKE customers); INSERT INTO ${name} SELECT * FROM customers`,
    );
    await using pair = await freshPair({
      tables: configs.slice(0, -1),
      sourceSql: [CUSTOMERS, ...copies].join(';'),
    });
    const { summary } = await trySync(pair);
    expect(summary.error).toBeNull();
    for (const [index, [change, code, what, hint = /./]] of REFUSED.entries()) {
      const error = summary.tables[index]?.error;
      expect({ change, code: error?.code }).toEqual({ change, code });
      expect(error?.message).toMatch(what);
      expect(error?.hint).toMatch(hint);
    }
    const made = await pair.destination.query(
      `SELECT relname FROM pg_class WHERE relname ~ '^(customers|_increp)'`,
    );
    expect(made.rows).toEqual([]);
    // The last one is looked at in the same transaction, and is good.
    await pair.writeTables(configs);
    const later = await trySync(pair);
    expect(later.summary.tables.at(-1)).toMatchObject({ status: 'ok', rows_inserted: 100 });
    expect(later.summary.status).toBe('partial');
  },
);

slowTest(
  'a grant on the columns that are read is enough, and the refusal without it names the way out',
  async () => {
    await using pair = await freshPair(selecting({}));
    const role = `"${pair.login('source', 'increp').user}"`;
    await pair.source.query(`REVOKE ALL ON customers FROM ${role};
    GRANT SELECT (id, email, status, updated_at) ON customers TO ${role}`);
    const table = { name: 'customers', replication_key: 'updated_at', unique_cols: ['id'] };
    expect((await trySync(pair)).table().error).toMatchObject({
      code: 'PRIVILEGE_MISSING',
      message: expect.stringContaining('"phone", "password_hash"') as string,
      hint: expect.stringContaining('add them to "exclude_columns"') as string,
    });
    await pair.writeTables([
      { ...table, columns: ['id', 'email', 'updated_at'], where: "status = 'active'" },
    ]);
    await sync(pair);
    const select = "SELECT id, email, updated_at FROM public.customers WHERE status = 'active'";
    await expectCopyOf(pair, select);
    await touch(pair, "email = 'x'", 'id = 1');
    await sync(pair);
    await expectCopyOf(pair, select);
    await pair.destination.query('DELETE FROM customers WHERE id < 20');
    await increp('verify --repair', pair);
    // Nobody can tell that the newest row is not merely newer than the copy: the window brings it.
    await sync(pair);
    await expectCopyOf(pair, select);
    // What an expression reads has to be granted as well.
    await pair.writeTables([{ ...table, columns: ['id', 'updated_at'], where: 'phone IS NOT NULL' }]);
    expect((await trySync(pair)).table().error).toMatchObject({ code: 'PRIVILEGE_MISSING' });
  },
);

test('an expression that names a renamed column is refused with the whole correction', async () => {
  const masks = { email: 'md5(email)', domain: "split_part(email, '@', 2)" };
  await using pair = await freshPair(selecting({ transform: masks, where: "email <> 'email'" }));
  await sync(pair);
  await pair.source.query('ALTER TABLE customers RENAME email TO mail');
  const { error } = (await trySync(pair)).table();
  expect(error).toMatchObject({
    code: 'COLUMN_NOT_FOUND',
    message:
      'the source renamed a column that "transform" of public.customers replaces: "email" is now "mail"',
  });
  const where = `mail <> 'email'`;
  const transform = { mail: 'md5(mail)', domain: "split_part(mail, '@', 2)" };
  expect(error?.hint).toContain(
    `write the new name: "transform": ${JSON.stringify(transform)}, "where": ${JSON.stringify(where)}. To keep the former name at the destination, set "rename": {"mail":"email"}.`,
  );
  await pair.writeTables(selecting({ transform, where, rename: { mail: 'email' } }).tables ?? []);
  await sync(pair);
  // Without a renamed mask, the text of the server stays.
  await pair.writeTables(selecting({ transform: { mail: 'md5(maill)' } }).tables ?? []);
  expect((await trySync(pair)).table().error).toMatchObject({ code: 'SQL_INVALID' });
});

slowTest('plan tells what is selected and how much that is, check what may change by itself', async () => {
  await using pair = await freshPair(
    selecting({
      columns: ['id', 'email', 'updated_at', 'dice'],
      where: "status = 'closed'",
      transform: { email: 'email || now()::text', dice: 'random()' },
    }),
  );
  await pair.source.query('ANALYZE customers');
  const plan = await increp('plan', pair);
  expect(plan.stdout).toContain(
    "    selects: 3 of 6 columns and 1 more; where status = 'closed'; email, dice transformed",
  );
  expect(plan.stdout).toContain('about 33 rows');
  expect(
    (await increp('plan --json', pair)).json<{ tables: { selects: string }[] }>().tables[0]?.selects,
  ).toContain('3 of 6');
  const { stdout } = await increp('check', pair);
  expect(stdout).toMatch(/random, now may return another value .*\[VOLATILE_SQL\]/s);
  await pair.writeTables(selecting({ transform: { email: 'md5(email)' } }).tables ?? []);
  expect((await increp('check', pair)).stdout).not.toContain('VOLATILE_SQL');
});
