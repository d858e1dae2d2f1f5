/** `_increp_conflicts`: a row for each conflict, written in the transaction of the merge (`conflict_log`). */
import type { TableName } from '../schema/names.ts';
import { hashOf } from './compare.ts';
import { ident, literal, qualified } from './identifiers.ts';
import { conflictsTable } from './state.ts';
import { equalOrBothNull, GREATER, JOINED, LESS, MINUS } from './search-path.ts';

export interface ConflictLog {
  readonly pipeline: string;
  readonly runId: string;
  readonly destination: TableName;
  readonly retentionSeconds: number;
  /** The role of increp. */
  readonly role: string;
}

export const createConflictsTable = (schema: string): string => /* sql */ `
  CREATE TABLE IF NOT EXISTS ${qualified(conflictsTable(schema))} (
    happened_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    pipeline text NOT NULL,
    table_name text NOT NULL,
    key jsonb NOT NULL,
    columns jsonb NOT NULL,
    resolution text NOT NULL,
    run_id text NOT NULL,
    versions text NOT NULL,
    PRIMARY KEY (pipeline, table_name, versions));
  CREATE INDEX ON ${qualified(conflictsTable(schema))} (pipeline, table_name, happened_at);
  COMMENT ON TABLE ${qualified(conflictsTable(schema))} IS 'increp: rows that the source and others changed'`;

/** A renamed table keeps its index, so the new one has no fixed name. */
export const hasConflictsTable = (schema: string): string =>
  /* sql */ `SELECT to_regclass(${literal(qualified(conflictsTable(schema)))}) IS NOT NULL AS "areThere"`;

/** Characters of a value. A longer value is cut. */
const LONGEST_VALUE = 10_000;

const cut = (value: string): string => `pg_catalog.left(${value}::text, ${LONGEST_VALUE})`;

interface LoggedRows {
  readonly staging: TableName;
  /** Joins t and s, and selects the rows of both. */
  readonly matches: string;
  readonly key: readonly string[];
  readonly columns: readonly {
    readonly name: string;
    /** A condition under which a difference of this column belongs to the conflict. */
    readonly counts?: string | undefined;
  }[];
  readonly isConflict: string;
  /** SQL expression: `source`, `destination` or `merged`. */
  readonly resolution: string;
}

/** Others cannot change these rows between the statements of the merge. */
export const lockMatched = ({ destination }: ConflictLog, { staging, matches }: LoggedRows): string =>
  /* sql */ `SELECT pg_catalog.count(*) FROM (SELECT FROM ONLY ${qualified(destination)} t, ${qualified(staging)} s WHERE ${matches} FOR NO KEY UPDATE OF t) locked`;

/** The same two versions of a row are one conflict, however often they are read. Returns counts by resolution. */
export function logConflicts(log: ConflictLog, rows: LoggedRows): string {
  const { destination, pipeline, runId } = log;
  const key = rows.key.map((name) => `${literal(name)}, t.${ident(name)}::text`).join(', ');
  const values = rows.columns
    .map(
      ({ name, counts = 'true' }) =>
        `(${literal(name)}, s.${ident(name)}::text, t.${ident(name)}::text, ${counts})`,
    )
    .join(', ');
  const image = (alias: string) =>
    `ROW(${rows.columns.map(({ name }) => `${alias}.${ident(name)}`).join(', ')})::text`;
  return /* sql */ `
  WITH logged AS (
    INSERT INTO ${qualified(conflictsTable(destination.schema))} (pipeline, table_name, key, columns, resolution, run_id, versions)
    SELECT ${literal(pipeline)}, ${literal(destination.table)}, pg_catalog.jsonb_build_object(${key}),
      (SELECT pg_catalog.jsonb_object_agg(c.name, pg_catalog.jsonb_build_object('source', ${cut('c.ours')}, 'destination', ${cut('c.theirs')}))
       FROM (VALUES ${values}) c(name, ours, theirs, counts) WHERE c.counts AND ${equalOrBothNull('c.ours', 'c.theirs')} IS NOT TRUE),
      ${rows.resolution}, ${literal(runId)}, ${hashOf(`${image('s')} ${JOINED} ${image('t')}`)}
    FROM ONLY ${qualified(destination)} t, ${qualified(rows.staging)} s WHERE ${rows.matches} AND ${rows.isConflict}
    ON CONFLICT (pipeline, table_name, versions) DO NOTHING RETURNING resolution)
  SELECT resolution, pg_catalog.count(*)::float8 AS rows FROM logged GROUP BY resolution`;
}

const age = (seconds: number): string =>
  `(pg_catalog.now() ${MINUS} pg_catalog.make_interval(secs => ${seconds}))`;

const ofTable = ({ pipeline, destination }: Pick<ConflictLog, 'pipeline' | 'destination'>): string =>
  `pipeline OPERATOR(pg_catalog.=) ${literal(pipeline)} AND table_name OPERATOR(pg_catalog.=) ${literal(destination.table)}`;

export const pruneConflicts = (log: ConflictLog): string => /* sql */ `
  DELETE FROM ${qualified(conflictsTable(log.destination.schema))} WHERE ${ofTable(log)} AND happened_at ${LESS} ${age(log.retentionSeconds)}`;

/** Whether the role may write the table, and how many conflicts of a table there were. It names each column. */
export const inspectConflicts = (
  table: Pick<ConflictLog, 'pipeline' | 'destination'>,
  seconds: number,
): string => {
  const log = qualified(conflictsTable(table.destination.schema));
  return /* sql */ `
  SELECT count(r.*)::float8 AS conflicts, has_table_privilege(${literal(log)}::regclass, 'INSERT')
    AND has_table_privilege(${literal(log)}::regclass, 'DELETE') AS "mayWrite"
  FROM (SELECT happened_at, pipeline, table_name, key, columns, resolution, run_id, versions FROM ${log}
        WHERE ${ofTable(table)} AND happened_at ${GREATER} ${age(seconds)}) r`;
};
