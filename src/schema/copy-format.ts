import { carriedType, type Column, type NativeCarriers } from './columns.ts';

/**
 * Types whose binary form means the same on every server. Excluded are types that send object identifiers, that depend
 * on a locale (money), that lose something (xml and its declaration), or that cannot be read back (an empty tsquery:
 * "operand not found", PostgreSQL 15).
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

/** PostgreSQL 17 added infinity to interval. Older servers read its binary form as a finite value. */
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

/** Binary saves printing and parsing on both servers. It is correct only if both read every type alike. */
export const copyFormatFor = (
  columns: readonly Column[],
  natives: NativeCarriers,
  versions: Versions,
): 'binary' | 'text' =>
  columns.every((column) => isPortable(column, natives, versions)) ? 'binary' : 'text';
