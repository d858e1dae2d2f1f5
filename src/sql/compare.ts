/**
 * Comparing a table's two sides while moving little: digests of groups of rows first, single rows only where those
 * differ. Rows are grouped by the hash of their key's text, which is the same on every server; ranges in key order
 * would depend on collations. Reads only the key's columns where only keys are compared.
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
  /** Empty: a row is its own key, and counts as often as it is there. */
  readonly mergeKey: readonly string[];
  /** Null: only keys are compared. */
  readonly columns: readonly string[] | null;
  /** What values are converted to before they are printed, by column. */
  readonly casts?: ReadonlyMap<string, string>;
  /** SQL predicate over the rows that take part. */
  readonly where: string;
  /** SQL expression: true for a row that the next sync would read anyway. */
  readonly isPending: string;
  /** Column by which the newer of two rows with one key is told; null where that does not matter. */
  readonly version: { readonly name: string; readonly isTime: boolean } | null;
  /** Into how many groups the rows are hashed. */
  readonly groups: number;
}

/**
 * True for a row that a transaction of that number (xid8) or a later one has written. xmin shows the lower half of a
 * number only; the upper one follows from `nextXid`, which no transaction of the snapshot has reached.
 */
export const isWrittenSince = (xid: string, nextXid: string): string => {
  const next = `${literal(nextXid)}::bigint`;
  const age = `((${next} ${MINUS} xmin::text::bigint) ${BITS} 4294967295::bigint)`;
  return `(${next} ${MINUS} ${age}) ${AT_LEAST} ${literal(xid)}::bigint`;
};

/** For a `nextXid` that was read before the snapshot: no number that shows in it is as high, nor further away. */
export const farFrom = (xid: string): string => String(BigInt(xid) + 2n ** 31n);

/** $1 oid of a table; whether our role may read its xmin, which grants on single columns do not include. */
export const TRANSACTION_NUMBERS = /* sql */ `
  SELECT coalesce(has_table_privilege($1::oid, 'SELECT'), false) AS "mayRead",
         pg_snapshot_xmax(pg_current_snapshot())::text AS "nextXid"`;

const value = (name: string, { casts }: Comparable): string => {
  const type = casts?.get(name);
  return type === undefined ? ident(name) : `${ident(name)}::${type}`;
};

const keyText = (side: Comparable): string =>
  `pg_catalog.json_build_array(${side.mergeKey.map((name) => `${value(name, side)}::text`).join(', ')})::text`;

/** Text, because types may differ between the sides; under the same settings equal values print alike. */
const contentText = (side: Comparable): string =>
  side.columns === null
    ? keyText(side)
    : `ROW(${side.columns.map((name) => value(name, side)).join(', ')})::text`;

/**
 * 128 bits, as hex digits, of the text in one encoding, whatever the encodings of the two databases are. md5() is as long, and
 * fails on a server whose OpenSSL runs in FIPS mode.
 */
export const hashOf = (text: string): string =>
  `pg_catalog.encode(pg_catalog.substr(pg_catalog.sha256(pg_catalog.convert_to(${text}, 'UTF8')), 1, 16), 'hex')`;

const isKeyless = ({ mergeKey }: Comparable): boolean => mergeKey.length === 0;

const rowsOf = (side: Comparable): string => /* sql */ `
  SELECT key, ${hashOf('key')} AS hash, ${hashOf('content')} AS content, pending${side.version === null ? '' : ', version'} FROM (
    SELECT ${isKeyless(side) ? contentText(side) : keyText(side)} AS key, ${contentText(side)} AS content, coalesce(${side.isPending}, false) AS pending${versionColumn(side)}
    FROM ${fromItem(side.from)} WHERE ${side.where} OFFSET 0) texts`;

/** As a whole number: integers as they are, times in microseconds. What is infinite prints as a word. */
function versionColumn({ version }: Comparable): string {
  if (version === null) return '';
  const key = ident(version.name);
  const text = version.isTime
    ? `CASE WHEN pg_catalog.isfinite(${key}) THEN pg_catalog.trunc(extract(epoch FROM ${key}) ${TIMES} 1000000::numeric)::text ELSE ${key}::text END`
    : `${key}::text`;
  return `, ${text} AS version`;
}

/** 32 bits of the hash are plenty for as many groups as anyone wants to hold in memory. */
const groupOf = ({ groups }: Comparable): string =>
  `(('x' ${JOINED} pg_catalog.substr(hash, 1, 8))::bit(32)::bigint ${MODULO} ${groups}::bigint)::int`;

/** 60 bits of each row's hash, added up: unlike XOR, a sum does not cancel rows that come twice. */
export const digestGroups = (side: Comparable): Statement =>
  onRows(
    side.from,
    /* sql */ `
  SELECT ${groupOf(side)} AS "group", pg_catalog.count(*)::float8 AS rows,
         pg_catalog.sum(('x' ${JOINED} pg_catalog.substr(content, 1, 15))::bit(60)::bigint)::text AS digest
  FROM (${rowsOf(side)}) hashed GROUP BY 1`,
  );

/** The rows of those groups, in an order that both sides share. DECLARE takes no parameters. */
export const declareRows = (cursor: string, side: Comparable, groups: readonly number[]): Statement => {
  const wanted = `FROM (${rowsOf(side)}) hashed WHERE ${groupOf(side)} ${EQUALS} ANY ('{${groups.join(',')}}'::int[])`;
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

/** Characters of a row that a report shows where it has no key. */
const SHOWN_CHARACTERS = 120;
/** Of equal rows any one; as JSON, like a key. */
const SHOWN = `pg_catalog.to_json(CASE WHEN pg_catalog.length(pg_catalog.min(key)) ${GREATER} ${SHOWN_CHARACTERS} THEN pg_catalog.left(pg_catalog.min(key), ${SHOWN_CHARACTERS}) ${JOINED} '...' ELSE pg_catalog.min(key) END)::text`;

export const fetchRows = (cursor: string, side: Comparable, rows: number): Statement =>
  onRows(side.from, /* sql */ `FETCH ${rows} FROM ${ident(cursor)}`);

export const closeRows = (cursor: string): string => /* sql */ `CLOSE ${ident(cursor)}`;
