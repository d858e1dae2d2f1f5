/** Columns whose values come from both sides (`merge`), and tables that record what increp last wrote. Pure. */

export interface MergedColumn {
  /** At the source. */
  readonly column: string;
  /** At the destination. */
  readonly name: string;
  /** SQL over the rows `source` and `destination`. */
  readonly expression: string;
}

interface MergeSettings {
  readonly merge: readonly MergedColumn[];
}

interface Tracking extends MergeSettings {
  readonly conflictLog: boolean;
}

export const isMerged = ({ merge }: MergeSettings, name: string): boolean =>
  merge.some((column) => column.name === name);

/** Whether each destination row records the version of the source row that increp last brought. */
export const tracksVersions = ({ merge, conflictLog }: Tracking): boolean => merge.length > 0 || conflictLog;

/**
 * Whether two opposite pipelines with this expression reach the same value, whatever they bring and how often: only the
 * largest or smallest of both values does.
 */
export function converges({ column, name, expression }: MergedColumn): boolean {
  const [, written] = /^(?:greatest|least)(\(.*\))$/i.exec(expression.replaceAll(/\s/g, '')) ?? [];
  if (written === undefined) return false;
  const namesOf = (row: string, called: string) => [`${row}.${called}`, `${row}."${called}"`];
  return namesOf('source', column).some((ours) =>
    namesOf('destination', name).some((theirs) =>
      [`(${ours},${theirs})`, `(${theirs},${ours})`].includes(written),
    ),
  );
}
