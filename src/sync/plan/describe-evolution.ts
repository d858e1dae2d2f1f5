/** What is said of a change in place: pure. */
import { formatCount } from '../../format.ts';
import { altersTable, type Evolution } from '../../schema/evolution.ts';
import type { NativeCarriers } from '../../schema/columns.ts';
import type { TableName } from '../../schema/names.ts';
import { alterAfter, alterBefore } from '../../sql/reshape.ts';
import { textOf } from '../../sql/search-path.ts';

const TO_BE_ALTERED = 'the copy is altered in place';
const ALTERED = 'the copy was altered in place';
const TO_BE_KEPT = 'the copy keeps its shape';
const KEPT = 'the copy kept its shape';

export const evolvingWords = (evolution: Evolution, drift: readonly string[]): string =>
  `${drift.join('; ')}: ${altersTable(evolution) ? TO_BE_ALTERED : TO_BE_KEPT}`;

/** The plan's reason, once it is done. */
export function evolvedWords(reason: string, filledRows: number): string {
  const filled = `${formatCount(filledRows)} ${filledRows === 1 ? 'row' : 'rows'} filled`;
  return reason
    .replace(TO_BE_ALTERED, () => `${ALTERED}, ${filled}`)
    .replace(TO_BE_KEPT, () => `${KEPT}, ${filled}`);
}

/** What would be run at the destination, in order. */
export const alterationsOf = (
  table: TableName,
  evolution: Evolution,
  natives: NativeCarriers,
): readonly string[] =>
  [alterBefore(table, evolution, natives), alterAfter(table, evolution)].flatMap((statement) =>
    statement === undefined ? [] : [textOf(statement)],
  );
