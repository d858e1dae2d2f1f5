import { IncrepError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import { describeSource, type Relation } from '../../schema/relations.ts';

/** `names`: the columns of the source. */
interface KeyOption {
  readonly key: string;
  /** Whether the value comes from `defaults`. */
  readonly isInherited?: boolean;
}

const correctionOf = (key: string, table: string, isInherited: boolean): string =>
  isInherited
    ? `Correct "${key}" in "defaults", or set it for table "${table}"`
    : `Correct "${key}" of table "${table}"`;

export function columnNotFound(
  source: Relation,
  { key, isInherited = false }: KeyOption,
  wanted: string,
  names: readonly string[],
): IncrepError {
  const near = nearest(wanted, names);
  return new IncrepError('COLUMN_NOT_FOUND', {
    what: `${describeSource(source)} has no column "${wanted}" (${isInherited ? `${key} in "defaults"` : key})${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: `${correctionOf(key, source.name.table, isInherited)} in tables-config.json. Its columns: ${names.join(', ')}.`,
  });
}
