/**
 * The deletion log of a table: a table or query at the source with the unique key of each deleted row and the time of the
 * deletion. A row whose key is NULL says that rows are gone that have no entry of their own.
 */
import type { TableName } from '../schema/names.ts';
import { ident, literal, qualified } from './identifiers.ts';
import { isNull, isPresent, nullSafeMatch } from './null-safe-match.ts';
import { fromItem, onRows, type RowSource } from './row-source.ts';
import { AT_LEAST, DIFFERS_FROM, EQUALS, MINUS, type Statement } from './search-path.ts';

/** A column of the unique key. */
export interface LoggedKeyColumn {
  /** In the log. */
  readonly name: string;
  /** In the rows of the source table. */
  readonly rowName: string;
  /** The type in the source table. The log may have another one, such as bigint for integer. */
  readonly type: string;
  readonly isNullable: boolean;
  /** True if the type has no `=` with an empty search_path. Then texts are compared. */
  readonly isComparedAsText: boolean;
}

export interface DeletionLogRows {
  readonly log: RowSource;
  /** Undefined for a query. */
  readonly table: TableName | undefined;
  readonly deletedAt: string;
  readonly key: readonly LoggedKeyColumn[];
  /** A timestamptz as text. Entries from then on are read. */
  readonly from: string;
  /** How far below `from` the reading starts. */
  readonly lookbackSeconds: number;
}

const isSince = ({ deletedAt, from, lookbackSeconds }: DeletionLogRows): string =>
  `l.${ident(deletedAt)} ${AT_LEAST} (${literal(from)}::timestamptz ${MINUS} ${literal(`${lookbackSeconds} seconds`)}::interval)`;

/** Whether the log has entries, and of which kind. `oid` and the type of the time column are null for a query. */
export const inspectLog = (rows: DeletionLogRows): Statement => {
  const since = `FROM ${fromItem(rows.log, 'l')} WHERE ${isSince(rows)}`;
  const isMarker = rows.key.map(({ name }) => isNull(`l.${ident(name)}`)).join(' AND ');
  const [oid, type] =
    rows.table === undefined
      ? ['NULL::text', 'NULL::text']
      : [
          `${literal(qualified(rows.table))}::regclass::oid::text`,
          `(SELECT pg_catalog.format_type(a.atttypid, NULL) FROM pg_catalog.pg_attribute a WHERE a.attrelid ${EQUALS} ${literal(qualified(rows.table))}::regclass::oid AND a.attname ${EQUALS} ${literal(rows.deletedAt)}::name)`,
        ];
  return onRows(
    rows.log,
    /* sql */ `SELECT EXISTS (SELECT ${since}) AS "hasEntries", EXISTS (SELECT ${since} AND ${isMarker}) AS "hasMarker", ${oid} AS oid, ${type} AS type`,
  );
};

export const fetchKeys = (cursor: string, source: RowSource, keys: number): Statement =>
  onRows(source, /* sql */ `FETCH ${keys} FROM ${ident(cursor)}`);

/** Whether there is an entry that the last sync may not have read, or another table than `oid`. */
export function hasNewEntries(rows: DeletionLogRows, oid: string | null): Statement {
  // Named, so that a log without them is not taken for one without entries.
  const keys = rows.key.map(({ name }) => `l.${ident(name)}`).join(', ');
  const isAnother =
    rows.table === undefined || oid === null
      ? ''
      : ` OR ${literal(qualified(rows.table))}::regclass::oid ${DIFFERS_FROM} ${literal(oid)}::oid`;
  return onRows(
    rows.log,
    /* sql */ `SELECT EXISTS (SELECT ${keys} FROM ${fromItem(rows.log, 'l')} WHERE ${isSince(rows)})${isAnother} AS "hasEntries"`,
  );
}

/**
 * The logged keys that no row of the source has now, in the format of sql/compare.ts. A row that was inserted again is
 * not deleted. DECLARE takes no parameters.
 */
export const declareLoggedKeys = (cursor: string, rows: DeletionLogRows, source: RowSource): Statement => {
  const columns = rows.key
    .map(({ name, type }, place) => `l.${ident(name)}::${type} AS key${place}`)
    .join(', ');
  const isEntry = rows.key.map(({ name }) => isPresent(`l.${ident(name)}`)).join(' OR ');
  const match = nullSafeMatch(
    rows.key.map(({ rowName, isNullable, isComparedAsText }, place) => {
      const cast = isComparedAsText ? '::text' : '';
      return { left: `r.${ident(rowName)}${cast}`, right: `k.key${place}`, isNullable };
    }),
  );
  const texts = rows.key.map((_, place) => `k.key${place}::text`).join(', ');
  return onRows(
    source,
    /* sql */ `
    DECLARE ${ident(cursor)} NO SCROLL CURSOR FOR
    SELECT pg_catalog.json_build_array(${texts})::text AS key
    FROM (SELECT DISTINCT ${columns} FROM ${fromItem(rows.log, 'l')} WHERE ${isSince(rows)} AND (${isEntry})) k
    WHERE NOT EXISTS (SELECT FROM ${fromItem(source, 'r')} WHERE ${match})`,
  );
};
