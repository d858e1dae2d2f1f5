import { createHash } from 'node:crypto';

export interface TableName {
  readonly schema: string;
  readonly table: string;
}

/** NAMEDATALEN - 1: Postgres silently cuts longer identifiers, which could make one table's name another's. */
export const MAX_NAME_BYTES = 63;

/**
 * `base` + `suffix` as an identifier of at most 63 bytes. Where the base has to be cut, a hash of the whole
 * keeps two names with one long prefix apart.
 */
export function derivedName(base: string, suffix: string): string {
  const room = MAX_NAME_BYTES - Buffer.byteLength(suffix);
  if (Buffer.byteLength(base) <= room) return base + suffix;
  const hash = createHash('sha256').update(base).digest('hex').slice(0, 8);
  return `${cutToBytes(base, room - hash.length - 1)}_${hash}${suffix}`;
}

/** What belongs to one of several pipelines into a table: its state, its lock, its staging table. */
export const sharedName = (table: string, pipeline: string): string => `${table}@${pipeline}`;

export const stagingName = (table: string): string => derivedName(table, '_stg');

/** Nobody's word for a table, because it is looked for after hours of loading only. */
export const windowName = (table: string): string => derivedName(table, '_increp_window');

/** Of the table in which single columns wait for their rows. */
export const fillName = (table: string): string => derivedName(table, '_increp_fill');

/** Cuts between characters, never inside one. */
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
 * A table's name as a file name: every byte a file system might care about is percent-encoded, capitals too,
 * because `Orders` and `orders` are one file on some of them.
 */
export function fileNameOf(table: string): string {
  return DEVICE.test(table)
    ? `${encoded(table.slice(0, 1))}${table.slice(1)}`
    : table.replace(/[^a-z0-9_-]/gu, encoded);
}

/** On Windows these name devices, in every folder and whatever follows after a dot. */
const DEVICE = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])$/;

const encoded = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');

export const isSameTable = (a: TableName, b: TableName): boolean =>
  a.schema === b.schema && a.table === b.table;

/** For maps: two tables never share it, whatever they are called. */
export const tableKey = ({ schema, table }: TableName): string => JSON.stringify([schema, table]);

/** Each once, where it stands first. */
export const distinctTables = (tables: readonly TableName[]): TableName[] => [
  ...new Map(tables.map(({ schema, table }) => [tableKey({ schema, table }), { schema, table }])).values(),
];

/** The tables of each schema. */
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
