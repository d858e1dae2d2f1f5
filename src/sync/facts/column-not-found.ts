import { IncrepError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import { describeSource, type Relation } from '../../schema/relations.ts';

/** `names`: the columns of the source. */
export function columnNotFound(
  source: Relation,
  option: string,
  wanted: string,
  names: readonly string[],
): IncrepError {
  const near = nearest(wanted, names);
  return new IncrepError('COLUMN_NOT_FOUND', {
    what: `${describeSource(source)} has no column "${wanted}" (${option})${near === undefined ? '' : `; did you mean "${near}"?`}`,
    next: `Correct "${option}" of table "${source.name.table}" in tables-config.json. Its columns: ${names.join(', ')}.`,
  });
}
