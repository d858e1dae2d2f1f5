/** Functions that name things without a schema work in our sessions as in any other, and what is planted is not used. */
import { expect, test } from 'vitest';
import { expectCommandsWork, LATER_COMMANDS } from '../support/commands.ts';
import { increp } from '../support/increp.ts';
import { columnsOf, expectSameRows } from '../support/oracle.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { sync } from '../support/sync.ts';
import { LOADERS_TRIED, oneIn, slowTest } from '../support/tier.ts';

const FUNCTIONS = /* sql */ `
  CREATE FUNCTION plain(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower($1) $$;
  CREATE FUNCTION folded(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT plain($1) $$;
  CREATE FUNCTION looked_up(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN plain($1); END $$`;

const COLUMNS = `id int PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now()`;
const ROWS = `SELECT i, 'Zoé ' || i, now() - interval '1 hour' FROM generate_series(1, 20) i`;

/** Each of these is over functions that call one of public without its schema. */
const SOURCE = /* sql */ `${FUNCTIONS};
  CREATE TABLE indexed (${COLUMNS}); INSERT INTO indexed ${ROWS}; CREATE INDEX ON indexed (folded(name));
  CREATE TABLE checked (${COLUMNS}, CHECK (looked_up(name) <> '')); INSERT INTO checked ${ROWS};
  CREATE TABLE computed (${COLUMNS}, small text GENERATED ALWAYS AS (looked_up(name)) STORED); INSERT INTO computed ${ROWS};
  CREATE TABLE partial (${COLUMNS}); INSERT INTO partial ${ROWS}; CREATE INDEX ON partial (id) WHERE folded(name) <> 'x';
  CREATE VIEW viewed AS SELECT id, folded(name) AS a, looked_up(name) AS b, updated_at FROM partial;
  CREATE TABLE parted (${COLUMNS}) PARTITION BY RANGE (id);
  CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000); INSERT INTO parted ${ROWS};
  CREATE INDEX ON parted (folded(name));
  CREATE TABLE refreshed (id int PRIMARY KEY, name text); INSERT INTO refreshed SELECT i, 'Zoé' FROM generate_series(1, 20) i;
  CREATE INDEX ON refreshed (folded(name))`;

const keyed = ['indexed', 'checked', 'computed', 'partial', 'viewed', 'parted'];
const tables = [
  ...keyed.map((name) => ({
    name,
    replication_key: 'updated_at',
    unique_cols: ['id'],
    deletes: 'hard',
    deletes_every: '0s',
    ...(name === 'parted' && { chunk: '10 rows', initial_load: 'copy' }),
  })),
  { name: 'refreshed', mode: 'full-refresh', unique_cols: ['id'], skip_unchanged: true },
];

const CHANGES = keyed
  .filter((name) => name !== 'viewed')
  .map(
    (name) => /* sql */ `
    UPDATE ${name} SET name = 'New', updated_at = now() WHERE id < 4;
    INSERT INTO ${name} (id, name) VALUES (101, 'More'); DELETE FROM ${name} WHERE id = 7`,
  )
  .join(';');

/** Under the usual path, without which nobody can read these tables. */
async function expectSame(pair: Pair, table: string, where = 'true'): Promise<void> {
  const columns = await columnsOf(pair, 'source', pair.schema, table);
  const select = `SELECT ROW(${columns.join(', ')})::text AS row FROM ${table} WHERE ${where} ORDER BY id`;
  const [source, destination] = [await pair.source.query(select), await pair.destination.query(select)];
  expect(destination.rows, table).toEqual(source.rows);
}

const expectCopies = async (pair: Pair) => {
  for (const { name } of tables) await expectSame(pair, name);
};

slowTest.each(LOADERS_TRIED)(
  'functions behind source tables: by %s, and all that reads them',
  async (loader) => {
    await using pair = await freshPair({ sourceSql: SOURCE });
    await pair.writeTables({ defaults: { initial_load: loader }, tables });
    await expectCommandsWork(pair, ['check', 'plan']);
    await sync(pair);
    await pair.source.query(CHANGES);
    await sync(pair);
    await expectCopies(pair);
    await pair.destination.query(
      `DELETE FROM indexed WHERE id = 12; UPDATE viewed SET a = 'wrong' WHERE id = 13`,
    );
    expect((await increp('verify', pair)).exitCode).toBe(2);
    await expectCommandsWork(pair, ['verify --repair', 'verify', ...LATER_COMMANDS]);
    await expectCopies(pair);
  },
);

slowTest(
  'an index over such a function that is made later stops no healthy table, nor its where and transform',
  async () => {
    const selecting = {
      ...{ name: 'chosen', replication_key: 'updated_at', unique_cols: ['id'], initial_load: 'copy' },
      ...{ where: 'id < 100', transform: { name: 'upper(name)' } },
    };
    await using pair = await freshPair({
      tables: [selecting],
      sourceSql: `${FUNCTIONS}; CREATE TABLE chosen (${COLUMNS}); INSERT INTO chosen ${ROWS}`,
    });
    await sync(pair);
    await pair.source.query(`CREATE INDEX ON chosen (folded(name)); INSERT INTO chosen VALUES (50, 'late')`);
    expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_inserted: 1 });
    await expectCommandsWork(pair, ['check', 'plan', 'verify']);
  },
);

test('what prints by the path comes with its schema, as before', async () => {
  await using pair = await freshPair({
    tables: [{ name: 'named', mode: 'full-refresh', unique_cols: ['id'], initial_load: 'copy' }],
    sourceSql: `CREATE TYPE pointing AS (at regclass); CREATE TABLE named (id int PRIMARY KEY, of regclass, more regclass[], inside pointing);
      INSERT INTO named VALUES (1, 'named', '{named}', ROW('named'::regclass))`,
  });
  await sync(pair);
  const { rows } = await pair.destination.query(`SELECT of, more::text, inside FROM named`);
  expect(rows).toEqual([
    {
      of: `${pair.schema}.named`,
      more: `{${pair.schema}.named}`,
      inside: `(${pair.schema}.named)`,
    },
  ]);
  await expectCommandsWork(pair, ['verify', 'check', 'sync']);
});

test('names of the operator are found in pg_catalog only, as before', async () => {
  const wrong = {
    ...{ name: 'chosen', replication_key: 'updated_at', unique_cols: ['id'] },
    transform: { name: 'plain(name)' },
  };
  await using pair = await freshPair({
    tables: [wrong],
    sourceSql: `${FUNCTIONS}; CREATE TABLE chosen (${COLUMNS}); CREATE INDEX ON chosen (folded(name))`,
  });
  const checked = await increp('check', pair);
  expect(checked.exitCode).toBe(78);
  expect(checked.stdout + checked.stderr).toContain('function plain(text) does not exist');
});

/** What people put on destination tables, without a schema wherever they name something. */
const ON_COPY = /* sql */ `${FUNCTIONS};
  CREATE TABLE audit (id int, op text); GRANT ALL ON audit TO PUBLIC; CREATE SEQUENCE counter; GRANT ALL ON counter TO PUBLIC;
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO audit VALUES (coalesce(NEW.id, OLD.id), plain(TG_OP)); PERFORM nextval('counter'); RETURN coalesce(NEW, OLD); END $$;
  CREATE FUNCTION note_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO audit VALUES (0, TG_WHEN || current_schema()); RETURN NULL; END $$;
  CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON copied FOR EACH ROW EXECUTE FUNCTION note();
  CREATE TRIGGER b AFTER INSERT OR UPDATE OR DELETE ON copied FOR EACH STATEMENT EXECUTE FUNCTION note_all();
  CREATE CONSTRAINT TRIGGER c AFTER INSERT OR UPDATE OR DELETE ON copied DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION note();
  CREATE INDEX by_name ON copied (folded(name));
  ALTER TABLE copied ADD CHECK (looked_up(name) <> ''), ADD COLUMN small text GENERATED ALWAYS AS (looked_up(name)) STORED`;

slowTest.each(oneIn(2, ['hard', 'soft']))(
  'triggers, indexes, checks and columns of people at the destination, deletes %s',
  async (deletes) => {
    const copied = {
      name: 'copied',
      replication_key: 'updated_at',
      unique_cols: ['id'],
      deletes,
      deletes_every: '0s',
    };
    await using pair = await freshPair({
      tables: [copied],
      sourceSql: `CREATE TABLE copied (${COLUMNS}); INSERT INTO copied ${ROWS}`,
    });
    await sync(pair);
    await pair.destination.query(ON_COPY);
    const where = deletes === 'soft' ? 'id <> 7' : undefined;
    await pair.source
      .query(`UPDATE copied SET name = 'New', updated_at = now() WHERE id < 4; DELETE FROM copied WHERE id = 7;
    INSERT INTO copied VALUES (101, 'More')`);
    expect((await sync(pair)).table()).toMatchObject({ rows_updated: 3, rows_inserted: 1, rows_deleted: 1 });
    await expectSame(pair, 'copied', where);
    const audit = await pair.destination.query(`SELECT DISTINCT op FROM audit ORDER BY op`);
    expect(audit.rows.map(({ op }: { op: string }) => op)).toContain('AFTERpublic');
    await pair.destination.query(
      `ALTER TABLE copied DISABLE TRIGGER USER; DELETE FROM copied WHERE id = 9; ALTER TABLE copied ENABLE TRIGGER USER`,
    );
    await expectCommandsWork(pair, ['verify --repair', 'verify', 'check', 'sync --full-refresh']);
    await pair.source.query(
      `ALTER TABLE copied ADD COLUMN more int DEFAULT 7; UPDATE copied SET updated_at = now() WHERE id = 2`,
    );
    await expectCommandsWork(pair, ['sync', 'verify']);
    await expectSame(pair, 'copied', where);
    await pair.source.query(`ALTER TABLE copied ALTER COLUMN id TYPE bigint, ALTER COLUMN more TYPE text`);
    await expectCommandsWork(pair, ['sync', 'verify']);
    await expectSame(pair, 'copied', where);
  },
);

slowTest('an event trigger that logs into a table without a schema stops nothing', async () => {
  await using pair = await freshPair('orders');
  await pair.destination.query(/* sql */ `
    CREATE TABLE ddl_log (tag text); GRANT ALL ON ddl_log TO PUBLIC;
    CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO ddl_log VALUES (tg_tag); END $$`);
  await pair.destination.query(`CREATE EVENT TRIGGER logged ON ddl_command_end EXECUTE FUNCTION log_ddl()`);
  try {
    await sync(pair);
    await pair.source.query(`ALTER TABLE orders ADD COLUMN more int DEFAULT 7`);
    await sync(pair);
    await pair.destination.query(
      `CREATE VIEW shown AS SELECT id, note FROM orders; ALTER VIEW shown OWNER TO ${pair.login('destination', 'increp').user};
       CREATE INDEX ON orders (lower(note))`,
    );
    await pair.source.query(`ALTER TABLE orders ALTER COLUMN total TYPE numeric(14,3)`);
    expect((await sync(pair)).table()).toMatchObject({ action: 'reset' });
    await expectSameRows(pair, 'orders');
  } finally {
    await pair.destination.query(`DROP EVENT TRIGGER logged`);
  }
});

slowTest(
  'an event trigger that fails is named, and fails no table that needs no such statement',
  async () => {
    await using pair = await freshPair('orders');
    await sync(pair);
    // The staging table of incremental syncs is made once, and kept.
    await pair.source.query(`UPDATE orders SET updated_at = now() WHERE id = 2`);
    await sync(pair);
    await pair.destination.query(/* sql */ `
    CREATE FUNCTION guard() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM elsewhere(); END $$`);
    await pair.destination.query(`CREATE EVENT TRIGGER guarded ON ddl_command_end EXECUTE FUNCTION guard()`);
    try {
      await pair.source.query(`UPDATE orders SET updated_at = now() WHERE id = 1`);
      expect((await sync(pair)).table()).toMatchObject({ action: 'incremental', rows_updated: 1 });
      await pair.source.query(`ALTER TABLE orders ADD COLUMN more int DEFAULT 7`);
      const refused = await increp('sync', pair);
      expect(refused.exitCode).toBe(1);
      expect(refused.stdout).toMatch(/the event trigger .*guarded.* failed/);
      expect(refused.stdout).toContain('ALTER FUNCTION public.guard() SET search_path = public');
    } finally {
      await pair.destination.query(`DROP EVENT TRIGGER guarded`);
    }
  },
);

/** Fits better than what pg_catalog has, which takes any type, or a type that the value is converted to. */
const BETTER = /* sql */ `
  CREATE FUNCTION stolen_eq(mood, mood) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted ='; END $$;
  CREATE OPERATOR = (FUNCTION = stolen_eq, LEFTARG = mood, RIGHTARG = mood);
  CREATE FUNCTION stolen_at(moment, timestamptz) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted >='; END $$;
  CREATE OPERATOR >= (FUNCTION = stolen_at, LEFTARG = moment, RIGHTARG = timestamptz);
  CREATE OPERATOR <= (FUNCTION = stolen_at, LEFTARG = moment, RIGHTARG = timestamptz);
  CREATE OPERATOR > (FUNCTION = stolen_at, LEFTARG = moment, RIGHTARG = timestamptz);
  CREATE FUNCTION json_build_array(text, text) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted array'; END $$;
  CREATE FUNCTION convert_to(text, text) RETURNS bytea LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted convert_to'; END $$;
  CREATE FUNCTION to_json(text) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted to_json'; END $$;
  CREATE FUNCTION isfinite(moment) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted isfinite'; END $$;
  CREATE FUNCTION unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted unnest'; END $$;
  CREATE FUNCTION stolen_row(record, record) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted *<>'; END $$`;

slowTest('what fits better and lies on the path of the role is not used', async () => {
  const sourceSql = /* sql */ `CREATE TYPE mood AS ENUM ('low', 'high'); CREATE DOMAIN moment AS timestamptz;
    CREATE TABLE felt (mood mood, id int, at moment NOT NULL DEFAULT now(), PRIMARY KEY (mood, id));
    CREATE TABLE lax (mood mood, id int, at moment NOT NULL DEFAULT now(), UNIQUE (mood, id));
    INSERT INTO felt SELECT 'low', i FROM generate_series(1, 20) i; INSERT INTO lax SELECT * FROM felt; INSERT INTO lax VALUES (NULL, 1)`;
  const options = {
    replication_key: 'at',
    unique_cols: ['mood', 'id'],
    deletes: 'hard',
    deletes_every: '0s',
    types: 'native',
  };
  await using pair = await freshPair({
    tables: ['felt', 'lax'].map((name) => ({ name, ...options })),
    sourceSql,
  });
  await pair.destination.query(
    `CREATE TYPE mood AS ENUM ('low', 'high'); CREATE DOMAIN moment AS timestamptz`,
  );
  for (const side of [pair.source, pair.destination]) await side.query(BETTER);
  await sync(pair);
  for (const name of ['felt', 'lax'])
    await pair.source.query(
      `UPDATE ${name} SET at = now() WHERE id < 4; DELETE FROM ${name} WHERE id = 7; INSERT INTO ${name} VALUES ('high', 1)`,
    );
  await sync(pair);
  await pair.destination.query(`DELETE FROM felt WHERE id = 9`);
  await expectCommandsWork(pair, [
    'verify --repair',
    'verify',
    'check',
    'plan',
    'sync --verify',
    'sync --full-refresh',
  ]);
  for (const name of ['felt', 'lax']) await expectSameRows(pair, name);
});
