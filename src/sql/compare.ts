/**
 * Compares both sides of a table with little traffic: first digests of groups of rows, then single rows of groups
 * that differ. Rows are grouped by the hash of their key's text, which is the same on every server. Ranges in key
 * order would depend on collations. If only keys are compared, only the columns of the key are read.
 */
import { ident, literal } from './identifiers.ts';
import { fromItem, onRows, type RowSource } from './row-source.ts';
import {
  AT_LEAST,
  BITS,
  EQUALS,
  GREATER,
  JOINED,
  MINUS,
  MODULO,
  TIMES,
  type Statement,
} from './search-path.ts';

export interface Comparable {
  readonly from: RowSource;
  /** If empty, a row is its own key, and equal rows are counted. */
  readonly mergeKey: readonly string[];
  /** If null, only keys are compared. */
  readonly columns: readonly string[] | null;
  /** The types to which values are converted before they are printed, by column. */
  readonly casts?: ReadonlyMap<string, string>;
  /** SQL condition that selects the compared rows. */
  readonly where: string;
  /** SQL expression: true for a row that the next sync would read anyway. */
  readonly isPending: string;
  /** The column that tells which of two rows with the same key is newer; null if this does not matter. */
  readonly version: { readonly name: string; readonly isTime: boolean } | null;
  /** The column that marks deleted rows. A marked row differs from each row of the source. */
  readonly mark?: string | undefined;
  /** The number of groups. */
  readonly groups: number;
}

/**
 * True if a transaction with this ID (xid8) or a later one wrote the row. xmin shows only the lower half of an ID, also
 * of rows that were frozen long ago. The upper half follows from the first ID that the snapshot does not see: all rows
 * are below it, and at most 2^32 transactions below it. An ID from before the snapshot would not do, because rows may be
 * above it. The subquery is evaluated once.
 */
export const isWrittenSince = (xid: string): string => {
  const next = `(SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint)`;
  const age = `((${next} ${MINUS} xmin::text::bigint) ${BITS} 4294967295::bigint)`;
  return `(${next} ${MINUS} ${age}) ${AT_LEAST} ${literal(xid)}::bigint`;
};

/** Whether the role may read xmin of the table with this oid, which grants on single columns do not include. */
export const mayReadWriters = (oid: string): string =>
  /* sql */ `SELECT coalesce(has_table_privilege(${literal(oid)}::oid, 'SELECT'), false) AS "mayRead"`;

const value = (name: string, { casts }: Comparable): string => {
  const type = casts?.get(name);
  return type === undefined ? ident(name) : `${ident(name)}::${type}`;
};

const keyText = (side: Comparable): string =>
  `pg_catalog.json_build_array(${side.mergeKey.map((name) => `${value(name, side)}::text`).join(', ')})::text`;

/** As text, because types may differ between the sides. With the same settings, equal values print alike. */
const contentText = (side: Comparable): string => {
  const text =
    side.columns === null
      ? keyText(side)
      : `ROW(${side.columns.map((name) => value(name, side)).join(', ')})::text`;
  return side.mark === undefined
    ? text
    : `${text} ${JOINED} CASE WHEN ${ident(side.mark)} IS NULL THEN '' ELSE ' deleted' END`;
};

/**
 * 128 bits as hex digits, of the text in UTF-8, whatever the encodings of the databases are. md5() has the same
 * length, but fails on a server whose OpenSSL runs in FIPS mode.
 */
export const hashOf = (text: string): string =>
  `pg_catalog.encode(pg_catalog.substr(pg_catalog.sha256(pg_catalog.convert_to(${text}, 'UTF8')), 1, 16), 'hex')`;

const isKeyless = ({ mergeKey }: Comparable): boolean => mergeKey.length === 0;

const hashedRows = (side: Comparable): string => /* sql */ `
  SELECT key, ${hashOf('key')} AS hash, ${hashOf('content')} AS content, pending${side.version === null ? '' : ', version'} FROM (
    SELECT ${isKeyless(side) ? contentText(side) : keyText(side)} AS key, ${contentText(side)} AS content, coalesce(${side.isPending}, false) AS pending${versionColumn(side)}
    FROM ${fromItem(side.from)} WHERE ${side.where} OFFSET 0) texts`;

/** As a whole number: integers unchanged, times in microseconds. Infinite times print as words. */
function versionColumn({ version }: Comparable): string {
  if (version === null) return '';
  const key = ident(version.name);
  const text = version.isTime
    ? `CASE WHEN pg_catalog.isfinite(${key}) THEN pg_catalog.trunc(extract(epoch FROM ${key}) ${TIMES} 1000000::numeric)::text ELSE ${key}::text END`
    : `${key}::text`;
  return `, ${text} AS version`;
}

/** 32 bits of the hash are enough for any number of groups that fits into memory. */
const groupOf = ({ groups }: Comparable): string =>
  `(('x' ${JOINED} pg_catalog.substr(hash, 1, 8))::bit(32)::bigint ${MODULO} ${groups}::bigint)::int`;

/** The sum of 60 bits of each row's hash. Unlike XOR, a sum does not cancel equal rows. */
export const digestGroups = (side: Comparable): Statement =>
  onRows(
    side.from,
    /* sql */ `
  SELECT ${groupOf(side)} AS "group", pg_catalog.count(*)::float8 AS rows,
         pg_catalog.sum(('x' ${JOINED} pg_catalog.substr(content, 1, 15))::bit(60)::bigint)::text AS digest
  FROM (${hashedRows(side)}) hashed GROUP BY 1`,
  );

/** The rows of these groups, in the same order on both sides. DECLARE takes no parameters. */
export const declareRows = (cursor: string, side: Comparable, groups: readonly number[]): Statement => {
  const wanted = `FROM (${hashedRows(side)}) hashed WHERE ${groupOf(side)} ${EQUALS} ANY ('{${groups.join(',')}}'::int[])`;
  return onRows(
    side.from,
    /* sql */ `DECLARE ${ident(cursor)} NO SCROLL CURSOR FOR ${
      isKeyless(side)
        ? /* sql */ `SELECT ${SHOWN} AS key, hash, pg_catalog.count(*)::text AS content, pg_catalog.count(*) FILTER (WHERE pending) ${GREATER} 0::bigint AS pending,
          pg_catalog.count(*)::float8 AS copies, pg_catalog.count(*) FILTER (WHERE pending)::float8 AS "pendingCopies"
          ${wanted} GROUP BY hash ORDER BY hash COLLATE "C"`
        : /* sql */ `SELECT key, hash, content, pending${side.version === null ? '' : ', version'} ${wanted} ORDER BY hash COLLATE "C", content COLLATE "C"`
    }`,
  );
};

/** The number of characters of a row without a key in a report. */
const SHOWN_CHARACTERS = 120;
/** Any of several equal rows; as JSON, like a key. */
const SHOWN = `pg_catalog.to_json(CASE WHEN pg_catalog.length(pg_catalog.min(key)) ${GREATER} ${SHOWN_CHARACTERS} THEN pg_catalog.left(pg_catalog.min(key), ${SHOWN_CHARACTERS}) ${JOINED} '...' ELSE pg_catalog.min(key) END)::text`;

export const fetchRows = (cursor: string, side: Comparable, rows: number): Statement =>
  onRows(side.from, /* sql */ `FETCH ${rows} FROM ${ident(cursor)}`);

export const closeRows = (cursor: string): string => /* sql */ `CLOSE ${ident(cursor)}`;
