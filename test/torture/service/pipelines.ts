/** The pipelines of the service scenario, in two sets: each set reads from a server of its own. */
import type { Random } from '../random.ts';

export type SetName = 'a' | 'b';

export interface ScenarioPipeline {
  readonly name: string;
  readonly set: SetName;
  /** The tables of append mode. Their source rows are only inserted, so each one is at the destination once. */
  readonly appended: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
  readonly sourceSql: string;
  /** One statement of an application. */
  readonly write: (random: Random) => string;
}

/** Tables of one source that are synced at the same time, over all pipelines of the set. */
export const LIMITS: Readonly<Record<SetName, number>> = { a: 2, b: 1 };

const KEYED = { replication_key: 'updated_at', unique_cols: ['id'], lookback: '100ms', initial_load: 'copy' };
const STAMP = 'updated_at timestamptz NOT NULL DEFAULT clock_timestamp()';
/** A transaction can wait for a row, so its version is later than every version that it replaces. */
const LATER = `updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')`;

const keyedTable = (name: string, rows: number): string => /* sql */ `
  CREATE TABLE ${name} (id bigint PRIMARY KEY, amount int, note text, ${STAMP});
  CREATE INDEX ON ${name} (updated_at);
  INSERT INTO ${name} (id, amount, note) SELECT i, i, repeat('note ', 20) || i FROM generate_series(1, ${rows}) i;`;

const logTable = (name: string): string => /* sql */ `
  CREATE TABLE ${name} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, ${STAMP});
  CREATE INDEX ON ${name} (updated_at);
  INSERT INTO ${name} (kind) SELECT 'first ' || i FROM generate_series(1, 500) i;`;

const IDS = 2000;
const id = (random: Random): number => random.between(1, IDS);

const change = (name: string) => (random: Random) =>
  random.pick([
    `INSERT INTO ${name} (id, amount) VALUES (${id(random)}, 0) ON CONFLICT (id) DO UPDATE SET amount = ${name}.amount + 1,
      updated_at = greatest(clock_timestamp(), ${name}.updated_at + interval '1 microsecond')`,
    `UPDATE ${name} SET amount = amount + 1, ${LATER} WHERE id % 97 = ${random.between(0, 96)}`,
    `UPDATE ${name} SET note = 'again', ${LATER} WHERE id = ${id(random)}`,
  ]);
const remove = (name: string) => (random: Random) => `DELETE FROM ${name} WHERE id = ${id(random)}`;
const append = (name: string) => (random: Random) =>
  `INSERT INTO ${name} (kind) SELECT 'event ' || i FROM generate_series(1, ${random.between(1, 20)}) i`;

const logEntry = (name: string) => ({ ...KEYED, name, mode: 'incremental-append' });

export const PIPELINES: readonly ScenarioPipeline[] = [
  {
    ...{ name: 'a-shop', set: 'a', appended: [] },
    config: {
      schedule: { every: '5s' },
      jobs: LIMITS.a,
      tables: [
        { ...KEYED, name: 'orders' },
        { ...KEYED, name: 'customers', deletes: 'hard', deletes_every: '0s', delete_limit: 1 },
      ],
    },
    sourceSql: keyedTable('orders', 500) + keyedTable('customers', 500),
    write: (random) => random.pick([change('orders'), change('customers'), remove('customers')])(random),
  },
  {
    ...{ name: 'a-log', set: 'a', appended: ['events'] },
    config: { schedule: { every: '3s' }, jobs: LIMITS.a, tables: [logEntry('events')] },
    sourceSql: logTable('events'),
    write: append('events'),
  },
  {
    ...{ name: 'a-big', set: 'a', appended: [] },
    config: {
      schedule: { cron: '* * * * *', time_zone: 'Europe/Berlin' },
      jobs: LIMITS.a,
      tables: [{ ...KEYED, name: 'big', chunk: '1MB' }],
    },
    sourceSql: keyedTable('big', 100_000),
    write: change('big'),
  },
  {
    ...{ name: 'b-shop', set: 'b', appended: [] },
    config: {
      schedule: { cron: '*/2 * * * *' },
      jobs: LIMITS.b,
      tables: [
        { ...KEYED, name: 'prices', schedule: { every: '7s' } },
        { ...KEYED, name: 'stock', deletes: 'soft', deletes_every: '0s', delete_limit: 1 },
      ],
    },
    sourceSql: keyedTable('prices', 500) + keyedTable('stock', 500),
    write: (random) => random.pick([change('prices'), change('stock'), remove('stock')])(random),
  },
  {
    ...{ name: 'b-log', set: 'b', appended: ['events', 'visits'] },
    config: {
      schedule: { every: '3s' },
      jobs: LIMITS.b,
      tables: [logEntry('events'), { ...logEntry('visits'), schedule: { every: '11s' } }],
    },
    sourceSql: logTable('events') + logTable('visits'),
    write: (random) => random.pick([append('events'), append('visits')])(random),
  },
];

/** Seconds between two due times of each schedule, by pipeline and entry. */
export const INTERVALS: Readonly<Record<string, number>> = {
  ...{ 'a-shop/': 5, 'a-log/': 3, 'a-big/': 60, 'b-shop/': 120, 'b-shop/prices': 7 },
  ...{ 'b-log/': 3, 'b-log/visits': 11 },
};
