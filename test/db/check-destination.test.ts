/** Findings of `check` about schemas and tables of the destination, and about objects there that could stop a sync. */
import { expect, test } from 'vitest';
import { check, obey } from '../support/check.ts';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { sync, trySync } from '../support/sync.ts';
import { slowTest } from '../support/tier.ts';

slowTest(
  'what stands at the destination: a table of unknown origin, a taken staging name, drift, a long name',
  async () => {
    const long = 'a'.repeat(61);
    await using pair = await freshPair({
      tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: long }],
      sourceSql: `${String(ordersPreset.sourceSql)}; CREATE TABLE ${long} (LIKE orders INCLUDING ALL)`,
      destinationSql: 'CREATE TABLE orders (id int); CREATE TABLE orders_stg (mine int)',
    });
    const taken = await check(pair);
    expect(taken).toMatchObject({
      exitCode: 3,
      errors: ['STAGING_NAME_CONFLICT'],
      notes: ['SERVER_INFO', 'PG_DUMP', 'KEY_WITHOUT_TRIGGER', 'NAME_TRUNCATED', 'DELETED_ROWS'],
    });
    await pair.destination.query('DROP TABLE orders_stg');
    expect((await check(pair)).warnings).toEqual(['TABLE_NOT_MANAGED']);
    await sync(pair);
    expect((await check(pair)).warnings).toEqual([]);
    await pair.source.query('ALTER TABLE orders ADD extra int');
    const drifted = await check(pair);
    expect(drifted).toMatchObject({ exitCode: 0, warnings: ['DRIFT'] });
    expect(drifted.find('DRIFT')?.message).toContain('"extra"');
    await sync(pair);
    expect((await check(pair)).warnings).toEqual([]);
  },
);

slowTest(
  'what is built on a copy: told before a reset is due, refused when it would be, and mended by what is printed',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    const { user } = pair.login('destination', 'increp');
    await pair.destination
      .query(`CREATE ROLE analyst_${user}; GRANT USAGE, CREATE ON SCHEMA public TO analyst_${user};
    GRANT SELECT ON orders TO analyst_${user}; SET ROLE analyst_${user};
    CREATE VIEW totals AS SELECT id, total FROM orders; RESET ROLE;
    CREATE VIEW roots AS SELECT id FROM orders`);
    const before = await check(pair);
    expect(before).toMatchObject({ exitCode: 0, warnings: [] });
    expect(before.find('DEPENDENT_OBJECTS')?.message).toContain(`view public.totals (owner analyst_${user})`);
    await pair.source.query('ALTER TABLE orders ALTER total TYPE numeric(20, 4)');
    const due = await check(pair);
    expect(due).toMatchObject({ exitCode: 1, errors: ['DEPENDENT_OBJECTS'], warnings: [] });
    expect(due.find('DRIFT')?.action).toBeNull();
    expect((await trySync(pair)).table().error?.code).toBe('DEPENDENT_OBJECTS');
    // The other view is a superuser's, of whom nobody should become a member.
    expect(due.find('DEPENDENT_OBJECTS')?.action).toMatch(
      /run as a superuser: ALTER VIEW public\.roots OWNER TO "writer_.*; GRANT "analyst_/,
    );
    await obey(due.find('DEPENDENT_OBJECTS')?.action, pair.destination);
    const mended = await check(pair);
    expect(mended).toMatchObject({ exitCode: 0, warnings: ['LAST_SYNC_FAILED', 'DRIFT'] });
    expect(mended.find('DEPENDENT_OBJECTS')?.message).toContain('the next sync keeps them');
    await sync(pair);
    await pair.destination.query(`DROP OWNED BY analyst_${user} CASCADE; DROP ROLE analyst_${user}`);
  },
);

test('a view in a schema that increp may not use is refused, and the printed grant lets it pass', async () => {
  await using pair = await freshPair('orders');
  await sync(pair);
  const { user } = pair.login('destination', 'increp');
  await pair.destination.query(`CREATE SCHEMA mine; CREATE SCHEMA logic;
    CREATE FUNCTION logic.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER stamp BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION logic.stamp();
    CREATE VIEW mine.totals AS SELECT id, total FROM orders; ALTER VIEW mine.totals OWNER TO ${user}`);
  expect((await check(pair)).find('DEPENDENT_OBJECTS')?.action).toContain(
    'GRANT USAGE, CREATE ON SCHEMA mine',
  );
  await pair.source.query('ALTER TABLE orders ALTER total TYPE numeric(20, 4)');
  const grants = `GRANT USAGE ON SCHEMA logic TO "${user}"; GRANT USAGE, CREATE ON SCHEMA mine TO "${user}"`;
  const due = (await check(pair)).find('DEPENDENT_OBJECTS');
  expect(due?.message).toContain('increp needs USAGE, CREATE ON SCHEMA mine for view mine.totals');
  expect(due?.action).toContain(`run as the owner of the schema or a superuser: ${grants}`);
  expect((await trySync(pair)).table().error?.hint).toContain(grants);
  await obey(due?.action, pair.destination);
  expect((await check(pair)).find('LAST_SYNC_FAILED')?.message).toContain('; the cause may be fixed since');
  await sync(pair);
});

slowTest('constraints and event triggers of the destination that could stop a sync', async () => {
  await using pair = await freshPair({
    ...ordersPreset,
    tables: [ORDERS_CONFIG, { ...ORDERS_CONFIG, name: 'items' }],
    sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE items (id bigint PRIMARY KEY, order_id bigint, code text UNIQUE, updated_at timestamptz);
      CREATE INDEX ON items (updated_at)`,
    isOwn: true,
  });
  await sync(pair);
  await pair.destination
    .query(`CREATE UNIQUE INDEX notes ON orders (note); CREATE UNIQUE INDEX codes ON items (code, id);
    ALTER TABLE items ADD FOREIGN KEY (order_id) REFERENCES orders; CREATE TABLE kinds (id bigint PRIMARY KEY);
    CREATE FUNCTION logs() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
    CREATE EVENT TRIGGER logs ON ddl_command_end EXECUTE FUNCTION logs()`);
  const { find, warnings, notes } = await check(pair);
  expect(warnings).toEqual(['DESTINATION_CONSTRAINT']);
  expect(find('DESTINATION_CONSTRAINT')).toMatchObject({
    table: 'orders',
    message: 'unique indexes of the destination table have no counterpart at the source: notes (note)',
  });
  expect(notes).toContain('EVENT_TRIGGER');
  expect(find('EVENT_TRIGGER')?.message).toContain('the event trigger "logs"');
  await obey(find('EVENT_TRIGGER')?.action, pair.destination);
  await pair.destination.query(
    'DROP INDEX notes; ALTER TABLE items ADD kind bigint REFERENCES kinds; DROP EVENT TRIGGER logs',
  );
  const later = await check(pair);
  expect(later.notes).not.toContain('EVENT_TRIGGER');
  expect(later.find('DESTINATION_CONSTRAINT')).toMatchObject({
    table: 'items',
    message: expect.stringContaining('refers to a table that this pipeline does not sync') as string,
  });
});

test('a schema that the first sync would create is named, because it may be a typing error', async () => {
  await using pair = await freshPair('orders');
  const { user } = pair.login('destination', 'increp');
  const { rows } = await pair.destination.query<{ name: string }>('SELECT current_database() AS name');
  await pair.destination.query(`GRANT CREATE ON DATABASE "${rows[0]?.name}" TO "${user}"`);
  await pair.setEnv({ DEST_SCHEMA: 'pubilc' });
  const found = await increp('check', pair);
  expect(found.exitCode).toBe(0);
  expect(found.stdout).toContain('the destination has no schema "pubilc" yet, and the first sync creates it');
  expect((await increp('plan', pair)).stdout).toContain('no schema "pubilc" yet, and the sync creates it');
});
