/** The rows that are read from the source. */
import type { BlockRange } from '../schema/heap.ts';
import type { Column } from '../schema/columns.ts';
import type { KeyType } from '../schema/keys.ts';
import type { TableName } from '../schema/names.ts';
import { isWrittenSince } from './compare.ts';
import { copiedColumns } from './copy.ts';
import { ident, identList, literal, qualified, textArray } from './identifiers.ts';
import { bareItem, fromItem, onRows, type RowSource } from './row-source.ts';
import { AT_LEAST, AT_MOST, EQUALS, GREATER, LESS, MINUS, type Statement } from './search-path.ts';

const SQL_TYPE = {
  timestamptz: 'timestamptz',
  timestamp: 'timestamp',
  date: 'date',
  integer: 'bigint',
} as const satisfies Record<KeyType, string>;

export interface Window {
  readonly replicationKey: string;
  readonly keyType: KeyType;
  /** Null means the whole table. */
  readonly from: string | null;
  readonly lookbackSeconds: number;
  readonly nullKeys: 'warn' | 'include';
  /** Also reads rows that share their unique key, these columns, with a row without a replication key. */
  readonly sharing?: readonly KeyPart[];
  /** Also reads rows that a transaction with this ID (xid8) or a later one wrote. */
  readonly orWrittenSince?: string | undefined;
  /** Reads only rows that a transaction with this ID (xid8) or a later one wrote. An earlier sync has read the others. */
  readonly onlyWrittenSince?: string | undefined;
  /** One chunk of a whole table. */
  readonly chunk?: {
    readonly blocks: BlockRange;
    /** Rows with later keys are read by the window at the end, so that a moving row is read once. */
    readonly upTo: string;
  };
}

/** A column of the unique key at the source. */
export interface KeyPart {
  readonly name: string;
  readonly isNullable: boolean;
  /** False if the text of the value identifies the row. */
  readonly isBuiltIn: boolean;
}

/** Destination rows whose key is in the staging table. As text, so that NULLs are equal. */
export const isAmong = (staging: TableName, key: readonly string[]): string =>
  /* sql */ `ROW(${identList(key)})::text ${EQUALS} ANY (SELECT ROW(${identList(key)})::text FROM ${qualified(staging)})`;

/** The lower bound of a window as an expression. The server computes it in the type of the key. */
function lowerEdge({ keyType, from, lookbackSeconds }: Window): string {
  const value = `${literal(from)}::${SQL_TYPE[keyType]}`;
  if (keyType === 'integer') return value;
  return `(${value} ${MINUS} interval ${literal(`${lookbackSeconds} seconds`)})::${SQL_TYPE[keyType]}`;
}

/** Rows that changed after a sync up to that cursor. */
export const isAfter = (replicationKey: string, keyType: KeyType, cursor: string): string =>
  `${ident(replicationKey)} ${GREATER} ${literal(cursor)}::${SQL_TYPE[keyType]}`;

/** The condition of a window for both sides. Undefined means the whole table. */
export function windowCondition(window: Window | undefined): string {
  if (!window) return 'true';
  if (window.chunk) return chunkCondition(window, window.chunk);
  if (window.from === null) return 'true';
  const key = ident(window.replicationKey);
  const orNull = window.nullKeys === 'include' ? ` OR ${key} IS NULL` : '';
  const { orWrittenSince: since, onlyWrittenSince } = window;
  const orLate = since === undefined ? '' : ` OR ${isWrittenSince(since)}`;
  const rows = `${key} ${AT_LEAST} ${lowerEdge(window)}${orNull}${orLate}`;
  return onlyWrittenSince === undefined ? rows : `(${rows}) AND ${isWrittenSince(onlyWrittenSince)}`;
}

/** For a parent table, the condition applies to each leaf, which is read by ranges of TIDs (PostgreSQL 14). */
function chunkCondition(
  { replicationKey, keyType }: Window,
  { blocks: { start, end }, upTo }: NonNullable<Window['chunk']>,
): string {
  const key = ident(replicationKey);
  const before = end === null ? '' : ` AND ctid ${LESS} '(${end},0)'::tid`;
  return `ctid ${AT_LEAST} '(${start},0)'::tid${before} AND (${key} ${AT_MOST} ${literal(upTo)}::${SQL_TYPE[keyType]} OR ${key} IS NULL)`;
}

export const selectWindow = (
  rows: RowSource,
  columns: readonly Column[],
  window: Window | undefined,
): string =>
  window?.sharing === undefined || window.from === null
    ? /* sql */ `SELECT ${copiedColumns(columns)} FROM ${fromItem(rows)} WHERE ${windowCondition(window)}`
    : /* sql */ `SELECT ${copiedColumns(columns, 't.')} FROM ${fromItem(rows, 't')}
        WHERE ${windowCondition(window)} OR ${sharesWithNull(rows, window.replicationKey, window.sharing)}`;

/**
 * Only a comparison with the other rows shows which of them is the newest. Two NULLs are equal in arrays, which the
 * server can hash (null-safe-match.ts). A row that is read needlessly does no harm.
 */
function sharesWithNull(rows: RowSource, replicationKey: string, key: readonly KeyPart[]): string {
  const list = (alias: string) =>
    key.map(({ name, isBuiltIn, isNullable }) => {
      const value = `${alias}.${ident(name)}${isBuiltIn ? '' : '::text'}`;
      return isNullable ? `ARRAY[${value}]` : value;
    });
  const without = /* sql */ `FROM ${fromItem(rows, 'n')} WHERE n.${ident(replicationKey)} IS NULL`;
  return /* sql */ `ROW(${list('t').join(', ')}) ${EQUALS} ANY (SELECT ${list('n').join(', ')} ${without})`;
}

/**
 * Whether a window contains a row that matches `condition`. Sent by `withoutScans`. `isInIndex`: an index has the rows in
 * the order of their keys. Then the newest row is looked at first, so that new rows are found without the old ones.
 */
export function hasRowsIn(
  rows: RowSource,
  window: Window,
  { condition, isInIndex }: { readonly condition: string; readonly isInIndex: boolean },
): Statement {
  const matching = /* sql */ `FROM ${bareItem(rows)} WHERE (${windowCondition(window)}) AND (${condition})`;
  return onRows(
    rows,
    isInIndex
      ? /* sql */ `SELECT (SELECT true ${matching} ORDER BY ${ident(window.replicationKey)} DESC LIMIT 1) IS NOT NULL AS "hasRows"`
      : /* sql */ `SELECT EXISTS (SELECT ${matching}) AS "hasRows"`,
  );
}

/**
 * If the planner expects many matching rows, it would search from the start of the table. The first answer is that of
 * the statement at PROBED_AT.
 */
export const withoutScans = (probes: readonly Statement[]): readonly Statement[] =>
  probes.length === 0
    ? []
    : [
        /* sql */ `SET LOCAL enable_seqscan = off`,
        ...probes,
        /* sql */ `SET LOCAL enable_seqscan TO DEFAULT`,
      ];

export const PROBED_AT = 1;

/** Locks against ALTER and DROP before the snapshot is taken. Not every kind of relation can be locked by name. */
export const lockShape = (table: TableName): string =>
  /* sql */ `LOCK TABLE ${qualified(table)} IN ACCESS SHARE MODE`;

export const hasRows = (rows: RowSource): Statement =>
  onRows(rows, /* sql */ `SELECT EXISTS (SELECT FROM ${bareItem(rows)}) AS "hasRows"`);

/** The rows of a table that match the conditions; all rows without conditions. */
export interface TableRows {
  readonly table: TableName;
  readonly where: readonly string[];
}

/** One message for all tables. Each answer costs the server one page. */
export const whichHaveRows = (tables: readonly TableRows[]): string =>
  tables
    .map(({ table, where }) => {
      const condition = where.length === 0 ? '' : ` WHERE ${where.join(' AND ')}`;
      return /* sql */ `SELECT ${literal(table.schema)} AS schema, ${literal(table.table)} AS "table" WHERE EXISTS (SELECT FROM ${qualified(table)}${condition})`;
    })
    .join(' UNION ALL ');

export const countUpTo = (table: TableName, limit: number): string =>
  /* sql */ `SELECT pg_catalog.count(*)::int AS rows FROM (SELECT FROM ${qualified(table)} LIMIT ${limit}) n`;

/** Tables of these schemas with an exclusive lock that is held or requested, so other sessions cannot read them. */
export const heldTables = (schemas: readonly string[]): string => /* sql */ `
  SELECT DISTINCT n.nspname AS schema, c.relname AS "table"
  FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE l.mode = 'AccessExclusiveLock' AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND n.nspname = ANY (${textArray(schemas)})`;

/** Counts at most `limit` rows: enough to say "some" or "many" without reading a large table. */
export const countNullKeys = (rows: RowSource, replicationKey: string, limit: number): Statement =>
  onRows(
    rows,
    /* sql */ `SELECT pg_catalog.count(*)::int AS rows FROM (SELECT FROM ${bareItem(rows)} WHERE ${ident(replicationKey)} IS NULL LIMIT ${limit}) n`,
  );
