/** What is read from the source. */
import type { BlockRange } from '../schema/heap.ts';
import type { Column } from '../schema/columns.ts';
import type { KeyType } from '../schema/keys.ts';
import type { TableName } from '../schema/names.ts';
import { isWrittenSince } from './compare.ts';
import { copiedColumns } from './copy.ts';
import { ident, identList, literal, qualified } from './identifiers.ts';
import { bareItem, fromItem, onRows, type RowSource } from './row-source.ts';
import { AT_LEAST, AT_MOST, EQUALS, GREATER, isSame, LESS, MINUS, type Statement } from './search-path.ts';

const SQL_TYPE = {
  timestamptz: 'timestamptz',
  timestamp: 'timestamp',
  date: 'date',
  integer: 'bigint',
} as const satisfies Record<KeyType, string>;

export interface Window {
  readonly replicationKey: string;
  readonly keyType: KeyType;
  /** Null: the whole table. */
  readonly from: string | null;
  readonly lookbackSeconds: number;
  readonly nullKeys: 'warn' | 'include';
  /** Besides: rows that share their unique key, these columns, with one without a replication key. */
  readonly sharing?: readonly KeyPart[];
  /** Besides: whatever transactions of that number (xid8) or a later one have written. */
  readonly orWritten?: { readonly since: string; readonly nextXid: string } | undefined;
  /** One chunk of a whole table. */
  readonly chunk?: {
    readonly blocks: BlockRange;
    /** Rows with later keys are left to the window at the end, so that a row that moves about comes once. */
    readonly upTo: string;
  };
}

/** A column of the unique key at the source. */
export interface KeyPart {
  readonly name: string;
  readonly isNullable: boolean;
  /** False: its text is what identifies a row. */
  readonly isBuiltIn: boolean;
}

/** Rows of the destination whose key is one of those in the staging table; as text, in which NULLs are alike. */
export const isAmong = (staging: TableName, key: readonly string[]): string =>
  /* sql */ `ROW(${identList(key)})::text ${EQUALS} ANY (SELECT ROW(${identList(key)})::text FROM ${qualified(staging)})`;

/** The lower edge of a window as an expression: the server does the arithmetic, on its own types. */
function lowerEdge({ keyType, from, lookbackSeconds }: Window): string {
  const value = `${literal(from)}::${SQL_TYPE[keyType]}`;
  if (keyType === 'integer') return value;
  return `(${value} ${MINUS} interval ${literal(`${lookbackSeconds} seconds`)})::${SQL_TYPE[keyType]}`;
}

/** Rows that have changed since a sync up to that cursor. */
export const isAfter = (replicationKey: string, keyType: KeyType, cursor: string): string =>
  `${ident(replicationKey)} ${GREATER} ${literal(cursor)}::${SQL_TYPE[keyType]}`;

/** What a window holds, as a condition that both sides understand. Undefined: the whole table. */
export function windowCondition(window: Window | undefined): string {
  if (!window) return 'true';
  if (window.chunk) return chunkCondition(window, window.chunk);
  if (window.from === null) return 'true';
  const key = ident(window.replicationKey);
  const orNull = window.nullKeys === 'include' ? ` OR ${key} IS NULL` : '';
  const { orWritten } = window;
  const orLate = orWritten ? ` OR ${isWrittenSince(orWritten.since, orWritten.nextXid)}` : '';
  return `${key} ${AT_LEAST} ${lowerEdge(window)}${orNull}${orLate}`;
}

/** Of a parent it holds in each of its leaves, which are read by ranges of TIDs (PostgreSQL 14). */
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

/** Which of them is the newest shows only beside the others. */
function sharesWithNull(rows: RowSource, replicationKey: string, key: readonly KeyPart[]): string {
  const list = (alias: string) =>
    key.map(({ name, isBuiltIn }) => `${alias}.${ident(name)}${isBuiltIn ? '' : '::text'}`);
  const without = /* sql */ `FROM ${fromItem(rows, 'n')} WHERE n.${ident(replicationKey)} IS NULL`;
  const plain = /* sql */ `ROW(${list('t').join(', ')}) ${EQUALS} ANY (SELECT ${list('n').join(', ')} ${without})`;
  const nullable = key.filter(({ isNullable }) => isNullable);
  if (nullable.length === 0) return plain;
  // Only = can be hashed.
  const isNull = nullable.map(({ name }) => `t.${ident(name)} IS NULL`).join(' OR ');
  const same = list('t').map((column, place) => isSame(column, list('n')[place] ?? ''));
  return /* sql */ `${plain} OR (${isNull}) AND EXISTS (SELECT ${without} AND ${same.join(' AND ')})`;
}

/**
 * Whether a window holds a row of which `condition` is true; the answer is that of the statement at HAS_ROWS_AT. Where the
 * planner takes the condition for a common one, it would look for such a row from the start of the table.
 */
export const hasRowsIn = (rows: RowSource, window: Window, condition: string): Statement[] => [
  /* sql */ `SET LOCAL enable_seqscan = off`,
  onRows(
    rows,
    /* sql */ `SELECT EXISTS (SELECT FROM ${bareItem(rows)} WHERE (${windowCondition(window)}) AND (${condition})) AS "hasRows"`,
  ),
  /* sql */ `SET LOCAL enable_seqscan TO DEFAULT`,
];

export const HAS_ROWS_AT = 1;

/** Locks against ALTER and DROP before the snapshot is taken. Not every kind of relation can be locked by name. */
export const lockShape = (table: TableName): string =>
  /* sql */ `LOCK TABLE ${qualified(table)} IN ACCESS SHARE MODE`;

export const hasRows = (rows: RowSource): Statement =>
  onRows(rows, /* sql */ `SELECT EXISTS (SELECT FROM ${bareItem(rows)}) AS "hasRows"`);

/** Rows that count: those of a table that satisfy the conditions; all where there are none. */
export interface TableRows {
  readonly table: TableName;
  readonly where: readonly string[];
}

/** One message for all tables; each answer costs the server a look at one page. */
export const whichHaveRows = (tables: readonly TableRows[]): string =>
  tables
    .map(({ table, where }) => {
      const condition = where.length === 0 ? '' : ` WHERE ${where.join(' AND ')}`;
      return /* sql */ `SELECT ${literal(table.schema)} AS schema, ${literal(table.table)} AS "table" WHERE EXISTS (SELECT FROM ${qualified(table)}${condition})`;
    })
    .join(' UNION ALL ');

export const countUpTo = (table: TableName, limit: number): string =>
  /* sql */ `SELECT pg_catalog.count(*)::int AS rows FROM (SELECT FROM ${qualified(table)} LIMIT ${limit}) n`;

/** $1 schemas: tables that nobody else can read now, or will be able to as soon as a lock is granted. */
export const HELD_TABLES = /* sql */ `
  SELECT DISTINCT n.nspname AS schema, c.relname AS "table"
  FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE l.mode = 'AccessExclusiveLock' AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND n.nspname = ANY ($1::text[])`;

/** At most `limit` rows are counted: enough to say "some" or "many" without reading a large table. */
export const countNullKeys = (rows: RowSource, replicationKey: string, limit: number): Statement =>
  onRows(
    rows,
    /* sql */ `SELECT pg_catalog.count(*)::int AS rows FROM (SELECT FROM ${bareItem(rows)} WHERE ${ident(replicationKey)} IS NULL LIMIT ${limit}) n`,
  );
