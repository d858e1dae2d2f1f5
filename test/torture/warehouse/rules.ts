/** Where every row must be at the end. These queries use only the applications' records and PostgreSQL. */
import type { Pool } from 'pg';

interface Rule {
  readonly name: string;
  /** Returns a row for each violation. */
  readonly sql: string;
}

/** Run at the destination, which has copies of the source's tables in the schema `theirs`. */
const RULES: readonly Rule[] = [
  {
    name: 'members: the same rows under other names',
    sql: `(SELECT 'destination' AS only, * FROM (TABLE our_members EXCEPT TABLE their_members) o)
      UNION ALL (SELECT 'source', * FROM (TABLE their_members EXCEPT TABLE our_members) t)`,
  },
  {
    name: 'events: each row of the source is there',
    sql: `SELECT s.id FROM theirs.events s LEFT JOIN events d ON d.id = s.id
      WHERE (d.kind, d.n, d.extra, d.updated_at) IS DISTINCT FROM (s.kind, s.n, s.extra, s.updated_at)`,
  },
  {
    name: 'events: a row that is gone from the source has a version that the source had',
    sql: `SELECT d.id FROM events d WHERE NOT EXISTS (SELECT FROM theirs.events s WHERE s.id = d.id)
      AND NOT EXISTS (SELECT FROM theirs.history h WHERE h.name = 'events' AND h.id = d.id
        AND (h.image->>'kind', (h.image->>'n')::int, (h.image->>'updated_at')::timestamptz) =
          (d.kind, d.n, d.updated_at))`,
  },
  {
    name: 'events: each row that was ever there stays',
    sql: `SELECT a.id FROM archived a WHERE NOT EXISTS (SELECT FROM events d WHERE d.id = a.id)`,
  },
  {
    name: 'events: a dropped column keeps its values',
    sql: `SELECT d.id, d.old_note FROM events d JOIN theirs.history h ON h.name = 'events' AND h.id = d.id
        AND (h.image->>'updated_at')::timestamptz = d.updated_at
      WHERE h.image ? 'old_note' AND d.old_note IS DISTINCT FROM h.image->>'old_note'`,
  },
  {
    name: 'stock: each row of the source is there with its other columns',
    sql: `SELECT s.id FROM theirs.stock s LEFT JOIN stock d ON d.id = s.id
      WHERE (d.label, d.updated_at) IS DISTINCT FROM (s.label, s.updated_at)`,
  },
  {
    name: 'stock: nothing changed a row without a witness',
    sql: `SELECT id, place FROM (SELECT id, place, former, lag(image) OVER (PARTITION BY id ORDER BY place) AS before
        FROM witness WHERE name = 'stock') w
      WHERE former IS DISTINCT FROM before AND before IS NOT NULL
      UNION ALL SELECT d.id, NULL FROM stock d WHERE to_jsonb(d) IS DISTINCT FROM
        (SELECT image FROM witness w WHERE w.name = 'stock' AND w.id = d.id ORDER BY place DESC LIMIT 1)`,
  },
  {
    name: 'stock: each version was added once, and nothing else',
    sql: `SELECT w.id, w.place FROM merged w WHERE w.added IS DISTINCT FROM w.expected`,
  },
  {
    name: 'stock: no version was added twice',
    sql: `SELECT id, version FROM merged WHERE version IS NOT NULL GROUP BY id, version HAVING count(*) > 1`,
  },
  {
    name: 'stock: "seen" is the latest of both sides',
    sql: `SELECT d.id FROM stock d JOIN theirs.stock s ON s.id = d.id
      WHERE d.seen IS DISTINCT FROM greatest(s.seen,
        (SELECT max((image->>'seen')::timestamptz) FROM witness w WHERE w.name = 'stock' AND w.id = d.id))`,
  },
  {
    name: 'prices: the later update wins',
    sql: `SELECT s.id FROM theirs.prices s LEFT JOIN prices d ON d.id = s.id
      LEFT JOIN LATERAL (SELECT image FROM witness w WHERE w.name = 'prices' AND w.id = s.id
        AND w.image->>'note' = 'destination' ORDER BY (image->>'updated_at')::timestamptz DESC LIMIT 1) o ON true
      WHERE (d.price, d.note, d.updated_at) IS DISTINCT FROM
        CASE WHEN (o.image->>'updated_at')::timestamptz > s.updated_at
          THEN ((o.image->>'price')::numeric, o.image->>'note', (o.image->>'updated_at')::timestamptz)
          ELSE (s.price, s.note, s.updated_at) END`,
  },
  {
    name: 'prices: each row of the destination that the source replaced is a conflict in the log',
    sql: `SELECT w.id, w.place FROM witness w WHERE w.name = 'prices' AND w.former->>'note' = 'destination'
      AND w.image->>'note' = 'source'
      AND NOT EXISTS (SELECT FROM _increp_conflicts c WHERE c.table_name = 'prices' AND (c.key->>'id')::bigint = w.id
        AND c.resolution = 'source' AND (c.columns->'price'->>'destination')::numeric = (w.former->>'price')::numeric
        AND (c.columns->'price'->>'source')::numeric = (w.image->>'price')::numeric)`,
  },
  {
    name: 'prices: each conflict in the log has values that both sides had',
    sql: `SELECT c.key FROM _increp_conflicts c WHERE c.table_name = 'prices'
      AND NOT EXISTS (SELECT FROM theirs.history h WHERE h.name = 'prices' AND h.id = (c.key->>'id')::bigint
        AND (h.image->>'updated_at')::timestamptz = (c.columns->'updated_at'->>'source')::timestamptz)
      OR NOT EXISTS (SELECT FROM witness w WHERE w.name = 'prices' AND w.id = (c.key->>'id')::bigint
        AND (w.image->>'updated_at')::timestamptz = (c.columns->'updated_at'->>'destination')::timestamptz)`,
  },
];

/**
 * `merged` has each write of increp to a row of stock that was there: what it added, and what the new version of the
 * source says. `added` without a new version must be 0.
 */
const VIEWS = (mail: string) => /* sql */ `
  CREATE VIEW our_members AS SELECT member_id, mail, points, updated_at FROM members;
  CREATE VIEW their_members AS SELECT id, ${mail} AS mail, points, updated_at FROM theirs.members;
  CREATE VIEW merged AS
    SELECT w.id, w.place, v.version, (w.image->>'sold')::int - (w.former->>'sold')::int AS added,
      CASE WHEN v.version IS NULL THEN 0 ELSE (h.image->>'sold')::int END AS expected
    FROM witness w
    CROSS JOIN LATERAL (SELECT CASE WHEN w.image->>'updated_at' IS DISTINCT FROM w.former->>'updated_at'
      THEN (w.image->>'updated_at')::timestamptz END AS version) v
    LEFT JOIN theirs.history h ON h.name = 'stock' AND h.id = w.id
      AND (h.image->>'updated_at')::timestamptz = v.version
    WHERE w.name = 'stock' AND w.former IS NOT NULL AND w.writer <> current_user`;

export interface Violation {
  readonly rule: string;
  readonly count: number;
  readonly first: unknown;
}

/** Copies the source's tables beside those of the destination, and asks the rules. */
export async function violations(source: Pool, destination: Pool, mail: string): Promise<Violation[]> {
  await destination.query('CREATE SCHEMA theirs');
  for (const name of ['members', 'events', 'stock', 'prices', 'history'])
    await copy(source, destination, name);
  await destination.query('CREATE INDEX ON theirs.history (name, id)');
  await destination.query(VIEWS(mail));
  const found: Violation[] = [];
  for (const { name, sql } of RULES) {
    const { rows } = await destination.query<object>(sql);
    if (rows.length > 0) found.push({ rule: name, count: rows.length, first: rows[0] });
  }
  return found;
}

/** As JSON, in one value: the tables of a run are small. */
async function copy(source: Pool, destination: Pool, name: string): Promise<void> {
  const { rows: columns } = await source.query<{ definition: string }>(
    `SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum) AS definition
     FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`,
    [`public.${name}`],
  );
  await destination.query(`CREATE TABLE theirs.${name} (${columns[0]?.definition})`);
  const { rows } = await source.query<{ all: string }>(
    `SELECT coalesce(json_agg(to_json(t)), '[]')::text AS all FROM public.${name} t`,
  );
  await destination.query(
    `INSERT INTO theirs.${name} SELECT * FROM json_populate_recordset(NULL::theirs.${name}, $1::json)`,
    [rows[0]?.all],
  );
}
