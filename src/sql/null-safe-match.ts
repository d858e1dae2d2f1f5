/**
 * Joins rows by a unique key in which NULLs count as equal: the only place that knows how. `a IS NOT DISTINCT FROM b`
 * means the same but can only be evaluated for each pair of rows, so the work would grow with the square of the rows.
 *
 * A column that may be NULL therefore adds two conditions to a join:
 *
 * - `ARRAY[a] = ARRAY[b]` treats NULLs as equal, and the planner can hash or sort arrays of every type that has a hash
 *   or a B-tree operator class. It only narrows the join: it is true for each pair that matches, because both
 *   conditions use the equality of the type (1.0 and 1.00 are equal, 'a' and 'A' are equal in a collation that says
 *   so). It is also true for some pairs that do not match: a NULL and an empty array.
 * - The exact condition, with the type's own `=`, as a list of alternatives: one for each set of columns that may be
 *   NULL together. `t.a IS NULL AND s.a IS NULL AND t.b = s.b` can use an index on (a, b), so the planner can find the
 *   rows of a small window through the index.
 *
 * A constant instead of NULL (`coalesce(a, '')`) would need a value that no row has. A hash of the text would miss
 * equal values that print differently.
 */
import { equalOrBothNull, EQUALS } from './search-path.ts';

/** A column of the key, as an expression over the rows of each side. Both expressions have the same type. */
export interface KeyMatch {
  readonly left: string;
  readonly right: string;
  readonly isNullable: boolean;
}

/** The number of alternatives doubles with each column. Three columns leave few enough for every index look-up. */
const MAX_IN_ALTERNATIVES = 3;

/** Whether every row can be found by an index on the columns of the key. */
export const isFoundByIndex = (nullableColumns: number): boolean => nullableColumns <= MAX_IN_ALTERNATIVES;

/** Not IS NULL, which is also true for a composite value whose fields are all NULL. An index can serve both. */
export const isNull = (value: string): string => `${value} IS NOT DISTINCT FROM NULL`;
/** Not IS NOT NULL, which is false for a composite value with one NULL field. */
export const isPresent = (value: string): string => `${value} IS DISTINCT FROM NULL`;

/** `rows`: all rows, or only rows with a NULL in their key. */
export function nullSafeMatch(key: readonly KeyMatch[], rows: 'all' | 'with NULL' = 'all'): string {
  const plain = key.filter(({ isNullable }) => !isNullable).map(equal);
  const nullable = key.filter(({ isNullable }) => isNullable);
  if (nullable.length === 0) return plain.join(' AND ');
  const [listed, rest] = [nullable.slice(0, MAX_IN_ALTERNATIVES), nullable.slice(MAX_IN_ALTERNATIVES)];
  const alternatives = alternativesOf(listed)
    .slice(rows === 'with NULL' && rest.length === 0 ? 1 : 0)
    .map((conditions) => `(${[...plain, ...conditions].join(' AND ')})`);
  return [
    ...plain,
    ...nullable.map(({ left, right }) => `ARRAY[${left}] ${EQUALS} ARRAY[${right}]`),
    `(${alternatives.join(' OR ')})`,
    ...rest.map(({ left, right }) => equalOrBothNull(left, right)),
  ].join(' AND ');
}

const equal = ({ left, right }: KeyMatch): string => `${left} ${EQUALS} ${right}`;

/** Each set of columns that are NULL together; the first set is empty. */
function alternativesOf([first, ...others]: readonly KeyMatch[]): string[][] {
  if (!first) return [[]];
  const further = alternativesOf(others);
  return [
    ...further.map((conditions) => [equal(first), ...conditions]),
    ...further.map((conditions) => [`${isNull(first.left)} AND ${isNull(first.right)}`, ...conditions]),
  ];
}
