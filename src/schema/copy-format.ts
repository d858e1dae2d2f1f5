import { carriedType, type Column, type NativeCarriers } from './columns.ts';

/**
 * Types whose binary form means the same on every server. Left out are those that send object identifiers, depend
 * on a locale (money), lose something on the way (xml and its declaration), or cannot be read back (an empty
 * tsquery: "operand not found", PostgreSQL 15).
 */
const PORTABLE_BINARY = new Set([
  ...[
    'boolean',
    'smallint',
    'integer',
    'bigint',
    'real',
    'double precision',
    'numeric',
    'oid',
    'pg_lsn',
    'uuid',
  ],
  ...[
    'text',
    'character varying',
    'character',
    'bpchar',
    '"char"',
    'name',
    'bytea',
    'bit',
    'bit varying',
    '"bit"',
  ],
  ...['date', 'time without time zone', 'time with time zone', 'interval'],
  ...['timestamp without time zone', 'timestamp with time zone'],
  ...['json', 'jsonb', 'jsonpath', 'tsvector', 'inet', 'cidr', 'macaddr', 'macaddr8'],
  ...['point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle'],
  ...['int4range', 'int8range', 'numrange', 'daterange', 'tsrange', 'tstzrange'],
  ...[
    'int4multirange',
    'int8multirange',
    'nummultirange',
    'datemultirange',
    'tsmultirange',
    'tstzmultirange',
  ],
]);

interface Versions {
  readonly source: number;
  readonly destination: number;
}

const withoutModifiers = (type: string): string =>
  type
    .replace(/\[\]$/, '')
    .replace(/\(\d+(,-?\d+)?\)/, '')
    .replace(/^interval .*/, 'interval');

/** Version 17 gave interval an infinity, whose binary form older servers read as a finite value. */
const isNewForm = (type: string, { source, destination }: Versions): boolean =>
  type === 'interval' && source >= 170000 && destination < 170000;

function isPortable(column: Column, natives: NativeCarriers, versions: Versions): boolean {
  const type = withoutModifiers(column.base.type);
  return (
    carriedType(column, natives) === column.base.type &&
    PORTABLE_BINARY.has(type) &&
    !isNewForm(type, versions)
  );
}

/** Binary saves both servers the printing and parsing; it is right only where both agree on every type. */
export const copyFormatFor = (
  columns: readonly Column[],
  natives: NativeCarriers,
  versions: Versions,
): 'binary' | 'text' =>
  columns.every((column) => isPortable(column, natives, versions)) ? 'binary' : 'text';
