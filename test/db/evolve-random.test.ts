/** Random values and random sequences of changes: the copy made in place is what the source made of its own rows. */
import process from 'node:process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { PLAIN } from '../support/random-values.ts';
import { sync } from '../support/sync.ts';
import { randomFor, type Random } from '../torture/random.ts';
import { slowTest } from '../support/tier.ts';

/** INCREP_TEST_SEED brings a failed run back. */
const seed = Number(process.env['INCREP_TEST_SEED'] ?? Math.trunc(Math.random() * 2 ** 31));
const ROWS = 60;

const config = (name: string) => ({
  name,
  replication_key: 'changed',
  unique_cols: ['id'],
  initial_load: 'copy',
  on_schema_change: 'evolve',
});

const numeric = (digits: number, scale: number) =>
  fc.constant(`trunc(((random() * 2 - 1) * 10 ^ ${digits - scale})::numeric * random()::numeric, ${scale})`);

type ValueOf = fc.Arbitrary<string>;
const {
  'varchar(8)': word,
  text,
  smallint,
  integer,
  bigint,
  real,
  timestamp,
  timestamptz,
  time,
} = PLAIN as Record<string, ValueOf>;

/** From, to, and what the column holds. */
const WIDENINGS: readonly (readonly [from: string, to: string, value: ValueOf | undefined])[] = [
  ['smallint', 'integer', smallint],
  ['smallint', 'numeric(8,3)', smallint],
  ['integer', 'bigint', integer],
  ['integer', 'numeric', integer],
  ['bigint', 'numeric(25,4)', bigint],
  ['real', 'double precision', real],
  ['varchar(8)', 'varchar(20)', word],
  ['varchar(8)', 'text', word],
  ['varchar', 'text', text],
  ['text', 'varchar', text],
  ['numeric(8,2)', 'numeric(12,2)', numeric(8, 2)],
  ['numeric(8,2)', 'numeric(12,5)', numeric(8, 2)],
  ['numeric(8,2)', 'numeric', numeric(8, 2)],
  ['timestamp(2)', 'timestamp(5)', timestamp],
  ['timestamp(0)', 'timestamp', timestamp],
  ['timestamptz(3)', 'timestamptz', timestamptz],
  ['time(1)', 'time(6)', time],
  ['date', 'timestamp', timestamp],
  ['date', 'timestamp(0)', timestamp],
  ['bit varying(80)', 'bit varying', PLAIN['bit varying']],
  ['varchar(8)[]', 'text[]', word?.map((value) => `ARRAY[${value}, NULL, 'a,"b']`)],
  ['integer[]', 'bigint[]', integer?.map((value) => `ARRAY[ARRAY[${value}::int], ARRAY[NULL]]`)],
];

test(`what the source makes of random values the copy makes of them too (INCREP_TEST_SEED=${seed})`, async () => {
  const columns = WIDENINGS.map(([from], place) => `c${place} ${from}`).join(', ');
  const row = fc.tuple(
    ...WIDENINGS.map(([from, , value]) => (value ?? fc.constant('NULL')).map((sql) => `(${sql})::${from}`)),
  );
  const rows = fc.sample(row, { seed, numRuns: ROWS });
  const inserts = rows.map(
    (values, place) =>
      `INSERT INTO t VALUES (${place}, timestamptz '2026-01-01' + interval '${place} min', ${values.join(', ')})`,
  );
  await using pair = await freshPair({
    tables: [config('t')],
    sourceSql: `CREATE TABLE t (id int PRIMARY KEY, changed timestamptz NOT NULL, ${columns}); ${inserts.join(';')}`,
  });
  expect(WIDENINGS.filter(([, , value]) => value === undefined)).toEqual([]);
  await sync(pair);
  await pair.source.query(
    `ALTER TABLE t ${WIDENINGS.map(([, to], place) => `ALTER c${place} TYPE ${to}`).join(', ')}`,
  );
  const { action, reason } = (await sync(pair)).table();
  expect(action, reason).toBe('incremental');
  expect(reason).toContain('the destination table was altered in place, 0 rows filled');
  await expectSameRows(pair, 't');
});

/** A column of a table that a test changes at random. */
interface Field {
  readonly name: string;
  type: string;
  isNotNull: boolean;
  /** The round in which old rows were given values that no replication key shows. */
  filledIn?: number;
}

const VALUES: Readonly<Record<string, string>> = {
  smallint: '(random() * 100)::int',
  integer: '(random() * 1e6)::int',
  bigint: '(random() * 1e12)::bigint',
  numeric: 'random()::numeric',
  real: 'random()::real',
  'double precision': 'random()',
  'varchar(9)': 'left(md5(random()::text), 9)',
  'varchar(20)': 'left(md5(random()::text), 20)',
  text: 'md5(random()::text)',
  date: `date '2020-01-01' + (random() * 999)::int`,
  timestamp: `timestamp '2020-01-01' + random() * interval '999 days'`,
};
const WIDER: Readonly<Record<string, readonly [string, ...string[]]>> = {
  smallint: ['integer', 'bigint', 'numeric'],
  integer: ['bigint', 'numeric'],
  real: ['double precision'],
  'varchar(9)': ['varchar(20)', 'text'],
  'varchar(20)': ['text'],
  date: ['timestamp'],
};
const TYPES = Object.keys(VALUES) as [string, ...string[]];
/** The server changes these without looking at a row, and no value of an old row is another one. */
const WITHOUT_ROWS = new Set(['varchar(9)', 'varchar(20)']);

interface Change {
  readonly before?: string;
  readonly sql: string;
  /** Whether rows that nobody has touched may be written again. */
  readonly writesRows: boolean;
}

/** One change of the table, which has these fields from then on. Ten steps make a round. */
function change(table: string, fields: Field[], random: Random, step: number): Change {
  const round = Math.trunc(step / 10);
  const [field] = fields.length > 0 ? [fields[random.between(0, fields.length - 1)]] : [];
  const kinds = field
    ? (['add', 'drop', 'rename', 'widen', 'widen', 'again', 'null', 'null'] as const)
    : (['add'] as const);
  const kind = random.pick([...kinds] as [string, ...string[]]);
  if (!field || kind === 'add') return add(fields, random, `f${step}`);
  if (kind === 'drop') {
    fields.splice(fields.indexOf(field), 1);
    return { sql: `DROP COLUMN ${field.name}`, writesRows: false };
  }
  if (kind === 'rename') {
    const name = `r${step}`;
    fields.splice(fields.indexOf(field), 1, { ...field, name });
    return { sql: `RENAME COLUMN ${field.name} TO ${name}`, writesRows: true };
  }
  if (kind === 'again') {
    fields.splice(fields.indexOf(field), 1);
    const { sql } = add(fields, random, field.name);
    return { sql: `DROP COLUMN ${field.name}, ${sql}`, writesRows: true };
  }
  const wider = WIDER[field.type];
  if (kind === 'widen' && wider) {
    const from = field.type;
    field.type = random.pick([...wider]);
    const using = random.chance(0.5) ? ` USING (${VALUES[field.type]})::${field.type}` : '';
    return {
      sql: `ALTER ${field.name} TYPE ${field.type}${using}`,
      writesRows: using !== '' || !WITHOUT_ROWS.has(from),
    };
  }
  // Values that came unseen are found by the NOT NULL that came with them: one that is gone by the next sync shows nothing.
  if (field.filledIn === round) return add(fields, random, `f${step}`);
  field.isNotNull = !field.isNotNull;
  const { name } = field;
  if (!field.isNotNull) return { sql: `ALTER ${name} DROP NOT NULL`, writesRows: false };
  field.filledIn = round;
  // As migrations do: old rows get a value, and no replication key shows it.
  const before = `UPDATE ${table} SET ${name} = (${VALUES[field.type]})::${field.type} WHERE ${name} IS NULL`;
  return { before, sql: `ALTER ${name} SET NOT NULL`, writesRows: true };
}

function add(fields: Field[], random: Random, name: string): Change {
  const type = random.pick(TYPES);
  const value = VALUES[type];
  const isNotNull = random.chance(0.3);
  fields.push({ name, type, isNotNull });
  const hasValues = isNotNull || random.chance(0.4);
  return {
    sql: `ADD COLUMN ${name} ${type}${isNotNull ? ' NOT NULL' : ''}${hasValues ? ` DEFAULT ${value}` : ''}`,
    writesRows: hasValues,
  };
}

const writersOf = async (pair: Pair, table: string) =>
  new Map(
    (
      await pair.destination.query<{ id: string; xmin: string }>(`SELECT id::text, xmin::text FROM ${table}`)
    ).rows.map(({ id, xmin }) => [id, xmin]),
  );

const TABLES = ['a', 'b', 'c', 'd'];
const ROUNDS = 6;

slowTest(`random changes of shape between random changes of rows (INCREP_TEST_SEED=${seed})`, async () => {
  await using pair = await freshPair({
    tables: TABLES.map(config),
    sourceSql: TABLES.map(
      (
        name,
      ) => `CREATE TABLE ${name} (id int PRIMARY KEY, changed timestamptz NOT NULL DEFAULT clock_timestamp());
        INSERT INTO ${name} SELECT i, timestamptz '2026-01-01' + i * interval '1 min' FROM generate_series(1, ${ROWS}) i;`,
    ).join(''),
  });
  await sync(pair);
  const random = randomFor(seed, 'changes');
  const shapes = new Map(TABLES.map((name): [string, Field[]] => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    const done = new Map<
      string,
      { readonly log: string[]; readonly touched: Set<string>; writesRows: boolean }
    >();
    const before = new Map<string, Map<string, string>>();
    for (const name of TABLES) {
      const fields = shapes.get(name) ?? [];
      const said = { log: [] as string[], touched: new Set<string>(), writesRows: false };
      done.set(name, said);
      before.set(name, await writersOf(pair, name));
      for (let step = random.between(1, 4); step > 0; step -= 1) {
        if (random.chance(0.5)) {
          const { before: first = '', sql, writesRows } = change(name, fields, random, round * 10 + step);
          const whole = `ALTER TABLE ${name} ${sql}`;
          said.log.push(whole);
          said.writesRows ||= writesRows;
          await pair.source.query(`${first}; ${whole}`);
        } else {
          const id = random.between(1, ROWS + 5);
          const names = fields.map((field) => field.name);
          const values = fields.map(({ type }) => VALUES[type]);
          said.touched.add(String(id));
          await pair.source.query(
            `INSERT INTO ${name} (${['id', ...names].join(', ')}) VALUES (${[id, ...values].join(', ')})
             ON CONFLICT (id) DO UPDATE SET ${['changed = clock_timestamp()', ...names.map((each) => `${each} = excluded.${each}`)].join(', ')}`,
          );
        }
      }
    }
    const result = await sync(pair, random.chance(0.5) ? '--verify' : '');
    for (const name of TABLES) {
      const { log = [], touched, writesRows } = done.get(name) ?? {};
      const label = `round ${round}: ${log.join('; ')}`;
      const { action, reason } = result.table(name);
      expect(action, `${label}: ${reason}`).toBe('incremental');
      await expectSameRows(pair, name);
      if (writesRows === true) continue;
      const after = await writersOf(pair, name);
      for (const [id, xmin] of before.get(name) ?? [])
        if (touched?.has(id) !== true) expect(after.get(id), `${label}: row ${id}`).toBe(xmin);
    }
  }
});
