/** Comparing copies of tables in mode full-refresh: rows without a key, counted, and no alarm about what is only newer. */
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

const RATES = { name: 'rates', mode: 'full-refresh' };
const RATES_SQL = `CREATE TABLE rates (currency text, rate numeric, note json);
  INSERT INTO rates SELECT 'C' || i % 50, i % 7 + 0.10, '{}' FROM generate_series(1, 2000) i`;

const ratesPair = async (more: object = {}): Promise<Pair> => {
  const pair = await freshPair({ tables: [{ ...RATES, ...more }], sourceSql: RATES_SQL });
  await sync(pair);
  return pair;
};

interface TableVerdict {
  readonly notes: readonly string[];
  readonly first_keys: Readonly<Record<string, readonly unknown[]>>;
}

async function verify(pair: Pair, args = '') {
  const result = await increp(`verify --json ${args}`, pair);
  return { exitCode: result.exitCode, ...result.json<{ tables: [TableVerdict] }>().tables[0] };
}

const NONE = { missing: 0, extra: 0, changed: 0, duplicated: 0 };
const EQUAL = { exitCode: 0, status: 'equal', ...NONE };

test('a copy with rows that are there many times is called equal', async () => {
  await using pair = await ratesPair();
  expect(await verify(pair)).toMatchObject({
    ...EQUAL,
    rows_source: 2000,
    rows_destination: 2000,
    notes: [],
  });
  expect(await verify(pair, '--repair')).toMatchObject({ ...EQUAL, repaired: null });
});

test('a copy of a row too many, one too few and one that is another are told apart and mended', async () => {
  await using pair = await ratesPair();
  await pair.destination.query(`INSERT INTO rates SELECT * FROM rates WHERE ctid = '(0,1)';
    DELETE FROM rates WHERE ctid IN ('(0,5)', '(0,6)'); UPDATE rates SET rate = 0.1 WHERE ctid = '(0,7)'`);
  const found = await verify(pair);
  expect(found).toMatchObject({ exitCode: 2, ...NONE, missing: 3, extra: 2, notes: [] });
  expect(found.first_keys).toMatchObject({ extra: expect.arrayContaining(['(C7,0.1,{})']) as unknown });
  const { stdout } = await increp('verify', pair);
  expect(stdout).toContain('3 missing at the destination: "(C');
  expect(await verify(pair, '--repair')).toMatchObject({
    ...EQUAL,
    repaired: { inserted: 3, updated: 0, removed: 2 },
  });
  await expectSameRows(pair, 'rates');
});

slowTest('what was written since is no difference, and what was not is one still', async () => {
  await using pair = await ratesPair();
  await pair.source
    .query(`UPDATE rates SET rate = 99 WHERE ctid IN ('(0,1)', '(0,2)'); DELETE FROM rates WHERE ctid = '(0,3)';
    INSERT INTO rates VALUES ('new', 1, NULL), ('new', 1, NULL)`);
  const busy = await verify(pair);
  expect(busy).toMatchObject({ ...EQUAL, outdated: 3 });
  expect((await increp('verify', pair)).stdout).toContain(' equal as of the last sync: ');
  expect(busy.notes).toEqual([
    expect.stringContaining('3 rows are only in the destination table and not counted as differences'),
    expect.stringContaining('to copy these changes, run'),
  ]);
  await pair.destination.query(
    `INSERT INTO rates VALUES ('by hand', 1, NULL); DELETE FROM rates WHERE ctid = '(0,9)'`,
  );
  expect(await verify(pair)).toMatchObject({ exitCode: 2, ...NONE, missing: 1, extra: 1 });
  await sync(pair);
  expect(await verify(pair)).toMatchObject({ ...EQUAL, notes: [] });
});

test('an emptied source that a sync refuses is a difference, with one command', async () => {
  await using pair = await ratesPair();
  await pair.source.query('TRUNCATE rates');
  expect((await trySync(pair)).table().error?.code).toBe('DELETE_LIMIT_EXCEEDED');
  const { exitCode, stdout } = await increp('verify', pair);
  expect(exitCode, stdout).toBe(2);
  expect(stdout).toMatch(/^! rates {2}DIFFERENT: 0 rows at the source, 2,000 at the destination/);
  expect(stdout.match(/increp \w+ rates.*/g)).toEqual(['increp verify rates --repair --force']);
  expect(await verify(pair, '--repair --force')).toMatchObject({ ...EQUAL, repaired: { removed: 2000 } });
});

slowTest('damage is mended although skip_unchanged sees no reason to load', async () => {
  await using pair = await ratesPair({ skip_unchanged: true });
  await pair.destination.query(`DELETE FROM rates WHERE currency = 'C1'`);
  expect((await sync(pair)).table().action).toBe('skipped');
  expect(await verify(pair)).toMatchObject({ exitCode: 2, ...NONE, missing: 40 });
  expect(await verify(pair, '--repair')).toMatchObject({ ...EQUAL, repaired: { inserted: 40 } });
  expect((await sync(pair)).table().action).toBe('skipped');
});

test('where a source does not show when its rows were written, the report says so', async () => {
  await using pair = await freshPair({
    tables: [RATES],
    sourceSql: `${RATES_SQL.replaceAll('rates', 'base')}; CREATE VIEW rates AS TABLE base`,
  });
  await sync(pair);
  expect(await verify(pair)).toMatchObject({ ...EQUAL, notes: [] });
  await pair.source.query(`INSERT INTO base VALUES ('new', 1, NULL)`);
  const found = await verify(pair);
  expect(found).toMatchObject({ exitCode: 2, missing: 1 });
  expect(found.notes).toEqual([expect.stringContaining('the differences may include rows')]);
});

slowTest('with unique_cols rows are compared and mended by key, as in every mode', async () => {
  await using pair = await freshPair('orders');
  await pair.writeTables([{ name: 'orders', mode: 'full-refresh', unique_cols: ['id'] }]);
  await sync(pair);
  await pair.destination.query('UPDATE orders SET total = 0 WHERE id = 1; DELETE FROM orders WHERE id = 2');
  await pair.source.query('UPDATE orders SET total = 3 WHERE id = 3; DELETE FROM orders WHERE id = 4');
  const found = await verify(pair);
  expect(found).toMatchObject({ exitCode: 2, ...NONE, missing: 1, changed: 1 });
  expect(found.first_keys).toMatchObject({ missing: [['2']], changed: [['1']], extra: [] });
  expect(await verify(pair, '--repair')).toMatchObject({ ...EQUAL, repaired: { inserted: 1, updated: 1 } });
});

test('sync --verify compares what has arrived, copies counted', async () => {
  await using pair = await ratesPair();
  await pair.source.query('INSERT INTO rates SELECT * FROM rates LIMIT 10');
  expect((await sync(pair, '--verify')).table()).toMatchObject({ rows_inserted: 10 });
  await pair.destination.query(`CREATE FUNCTION alter_row() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN NEW.rate := 5; RETURN NEW; END';
    CREATE TRIGGER alter_row BEFORE INSERT ON rates FOR EACH ROW EXECUTE FUNCTION alter_row()`);
  await pair.source.query(`INSERT INTO rates VALUES ('new', 1, NULL)`);
  const { error } = (await trySync(pair, '--verify')).table();
  expect(error).toMatchObject({ code: 'VERIFY_FAILED' });
  expect(error?.message).toContain('the row "(new,1,)" of public.rates differs from the source');
});

test('a transaction that was open at the last sync does not explain a row that only the destination has', async () => {
  await using pair = await freshPair({ tables: [RATES], sourceSql: 'CREATE TABLE other (id int)' });
  const writer = await pair.source.connect();
  await writer.query('BEGIN; INSERT INTO other VALUES (1)');
  await pair.source.query(RATES_SQL);
  await sync(pair, '--wait-transactions 0s');
  await writer.query('ROLLBACK');
  writer.release();
  await pair.destination.query(`INSERT INTO rates VALUES ('strange', 1, NULL)`);
  expect(await verify(pair)).toMatchObject({ exitCode: 2, ...NONE, extra: 1, notes: [] });
  await pair.source.query(`DELETE FROM rates WHERE ctid = '(0,1)'`);
  expect(await verify(pair)).toMatchObject({ extra: 1, outdated: 1 });
});

test('a long row is shown in part', async () => {
  await using pair = await ratesPair();
  await pair.destination.query(`INSERT INTO rates VALUES (repeat('x', 5000), 1, NULL)`);
  const found = await verify(pair);
  expect(JSON.stringify(found.first_keys)).toMatch(/\(x{119}\.\.\."/);
});
