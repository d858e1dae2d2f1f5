/** Findings about rows that each sync reads again although nobody has written them: pure. */
import { formatDuration } from '../duration.ts';
import { showsWriters, takesIndex, type Relation } from '../schema/relations.ts';
import { ident, qualified } from '../sql/identifiers.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import type { Keyed } from '../sync/plan/plan.ts';
import { note, type Finding } from './finding.ts';

/** Seconds. The rows of a shorter time are few. */
const LONG = 600;

export function readAgainFindings(
  { settings, sourceName, sourceSchema: { role } }: TableFacts,
  { source, keyType }: Pick<Keyed, 'keyType'> & { readonly source: Relation },
): Finding[] {
  const { name, lookbackSeconds } = settings;
  // Rows of another server, and of a materialized view, need a long lookback.
  const isOwn = takesIndex(source) && source.kind !== 'materialized view' && !source.hasForeignRows;
  if (keyType === 'integer' || lookbackSeconds < LONG || !isOwn || showsWriters(source)) return [];
  const shorter = 'If these are many rows, set a shorter "lookback"';
  const needsGrant = showsWriters({ ...source, canSelectTable: true });
  const cause = needsGrant
    ? `role "${role}" may not read their transaction IDs (xmin)`
    : source.hasChildren
      ? 'a partition or child table may have been attached with older rows'
      : 'the storage of the table has no transaction IDs';
  return [
    note(
      'READ_AGAIN',
      name,
      `each sync reads the rows of the ${formatDuration(lookbackSeconds)} before the cursor again, because ${cause}`,
      needsGrant
        ? `${shorter}, or run at the source: GRANT SELECT ON ${qualified(sourceName)} TO ${ident(role)}`
        : `${shorter}.`,
    ),
  ];
}
