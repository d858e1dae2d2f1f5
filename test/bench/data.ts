/** The tables of the benchmark and what changes in them, as SQL. */

export const COLUMNS = 'id, name, amount, attributes, tags, created_at, updated_at';

const DEFINITION = `(
  id bigint NOT NULL, name text, amount numeric, attributes jsonb, tags text[],
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL)`;

/** Without a key: whoever loads it adds that. */
export const createTable = (table: string): string => `CREATE TABLE ${table} ${DEFINITION}`;

export const addKey = (table: string): string => `ALTER TABLE ${table} ADD PRIMARY KEY (id)`;

/** When the first changes begin. All that is loaded was changed in the year before. */
const CHANGES_BEGIN = '2025-01-01 00:00:00+00';

/** One after the other: VACUUM stands alone. */
export const fillTable = (table: string, rows: number): string[] => [
  createTable(table),
  `INSERT INTO ${table} SELECT i, 'Item ' || i || ' ' || md5(i::text), (i % 1000000) / 100.0,
    jsonb_build_object('colour', (ARRAY['red', 'green', 'blue', 'grey'])[1 + i % 4], 'weight', i % 977,
      'in_stock', i % 3 = 0),
    ARRAY['tag' || i % 7, 'group' || i % 101], changed, changed
  FROM (SELECT i, timestamptz '${CHANGES_BEGIN}' - (${rows} - i) * (interval '365 days' / ${rows}) AS changed
    FROM generate_series(1::bigint, ${rows}) i) numbered`,
  addKey(table),
  `CREATE INDEX ON ${table} (updated_at)`,
  `VACUUM ANALYZE ${table}`,
];

export interface Change {
  readonly table: string;
  /** Of that many rows, the table over, */
  readonly rows: number;
  /** every n-th changes, */
  readonly every: number;
  /** and each batch of changes is that of another hour. */
  readonly hour: number;
}

/** The hour's changes are spread over it, so that `lookback` reaches a hundredth of the former batch and not all. */
export const changeRows = ({ table, rows, every, hour }: Change): string => `
  UPDATE ${table} SET amount = amount + 1,
    updated_at = timestamptz '${CHANGES_BEGIN}' + ${hour} * interval '1 hour' + id * (interval '1 hour' / ${rows})
  WHERE id % ${every} = ${hour % every}`;

/** Writes rows anew without changing them. */
export const touchRows = ({ table, every, hour }: Change): string =>
  `UPDATE ${table} SET updated_at = updated_at WHERE id % ${every} = ${hour % every}`;

/** One line that is the same on both sides when the rows are. */
export const fingerprint = (table: string): string =>
  `SELECT count(*) || ' rows, sum ' || coalesce(sum(hashtextextended(t::text, 0)), 0) AS fingerprint FROM ${table} t`;
