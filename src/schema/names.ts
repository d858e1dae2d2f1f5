import { createHash } from 'node:crypto';

export interface TableName {
  readonly schema: string;
  readonly table: string;
}

/** NAMEDATALEN - 1. Postgres silently truncates longer identifiers, so two names could become the same. */
export const MAX_NAME_BYTES = 63;

/**
 * `base` + `suffix` as an identifier of at most 63 bytes. If the base is too long, it is truncated, and a hash of the
 * whole base keeps names with the same prefix different.
 */
export function derivedName(base: string, suffix: string): string {
  const room = MAX_NAME_BYTES - Buffer.byteLength(suffix);
  if (Buffer.byteLength(base) <= room) return base + suffix;
  const hash = createHash('sha256').update(base).digest('hex').slice(0, 8);
  return `${cutToBytes(base, room - hash.length - 1)}_${hash}${suffix}`;
}

/** The name for the state, the lock and the staging table of one pipeline, if several pipelines share a table. */
export const sharedName = (table: string, pipeline: string): string => `${table}@${pipeline}`;

export const stagingName = (table: string): string => derivedName(table, '_stg');

/** For rows that the operator sets aside. */
export const archiveName = (table: string): string => derivedName(table, '_archive');

/** An unlikely name for a table of a user. A conflict would show only at the end of a long load. */
export const windowName = (table: string): string => derivedName(table, '_increp_window');

/** The table that stores the values of a backfill before the UPDATE. */
export const fillName = (table: string): string => derivedName(table, '_increp_fill');

/** Truncates between characters, never within a character. */
function cutToBytes(text: string, bytes: number): string {
  let cut = '';
  let size = 0;
  for (const character of text) {
    size += Buffer.byteLength(character);
    if (size > bytes) break;
    cut += character;
  }
  return cut;
}

/**
 * The name of a table as a file name. Every byte that is special in a file system is percent-encoded. So are capital
 * letters, because `Orders` and `orders` are the same file in some file systems.
 */
export function fileNameOf(table: string): string {
  return DEVICE.test(table)
    ? `${encoded(table.slice(0, 1))}${table.slice(1)}`
    : table.replace(/[^a-z0-9_-]/gu, encoded);
}

/** The name of the table, if the text is a file name of `fileNameOf`. */
export function tableOfFileName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Windows reserves these names for devices, in every folder and with every file extension. */
const DEVICE = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])$/;

const encoded = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');

export const isSameTable = (a: TableName, b: TableName): boolean =>
  a.schema === b.schema && a.table === b.table;

/** A key for maps. Two tables never share it. */
export const tableKey = ({ schema, table }: TableName): string => JSON.stringify([schema, table]);

/** Removes duplicates and keeps the order. */
export const distinctTables = (tables: readonly TableName[]): TableName[] => [
  ...new Map(tables.map(({ schema, table }) => [tableKey({ schema, table }), { schema, table }])).values(),
];

export function bySchema(tables: readonly TableName[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { schema, table } of tables) {
    const names = found.get(schema);
    if (names) names.push(table);
    else found.set(schema, [table]);
  }
  return found;
}

/** For messages: `schema.table`. */
export const printName = (name: TableName): string => `${name.schema}.${name.table}`;
