import { IncrepError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import { describeSource, type Relation } from '../../schema/relations.ts';

/** `names`: the columns of the source. */
interface KeyOption {
  readonly key: string;
  /** Whether the value comes from `defaults`. */
  readonly isInherited?: boolean;
}

/** Other tables need the value in `defaults`. */
const correctionOf = (key: string, table: string, isInherited: boolean): string =>
  isInherited ? `Set "${key}" for table "${table}"` : `Correct "${key}" of table "${table}"`;

/** For a table without any column that could be the key. */
const withoutKey = (table: string, isInherited: boolean): string =>
  isInherited
    ? ` If no column fits, read the whole table at each sync: ${JSON.stringify({ name: table, mode: 'full-refresh' })}, or leave it out with "enabled": false.`
    : '';

export function columnNotFound(
  source: Relation,
  { key, isInherited = false }: KeyOption,
  wanted: string,
  names: readonly string[],
  /** When a sync last read the column, in RFC 3339. Undefined if no sync did. */
  lastSeen?: string,
): IncrepError {
  const near = nearest(wanted, names);
  return new IncrepError('COLUMN_NOT_FOUND', {
    what: `${describeSource(source)} ${lastSeen === undefined ? 'has no' : 'no longer has the'} column "${wanted}" (${isInherited ? `${key} in "defaults"` : key})${lastSeen === undefined ? '' : `, which increp last read at ${lastSeen}`}${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: `${correctionOf(key, source.name.table, isInherited)} in tables-config.json. Its columns: ${names.join(', ')}.${withoutKey(source.name.table, isInherited)}`,
  });
}
