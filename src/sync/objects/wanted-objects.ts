/** Which objects of a source table belong at the destination, in the words of the destination. Pure. */
import { ANY } from '../../reasons.ts';
import { wantedChecks, wantedDefaults, wantedForeignKeys } from './wanted-constraints.ts';
import { wantedIndexes } from './wanted-indexes.ts';
import type { LeftOutObject, ObjectFacts, WantedObject, WantedObjects } from './wanted-types.ts';

const WITHOUT_INDEXES: Readonly<Record<string, string>> = { v: 'view', f: 'foreign table' };

export function wantedObjects(facts: ObjectFacts): WantedObjects {
  const { settings, source } = facts;
  const kind = WITHOUT_INDEXES[source.kind];
  if (kind !== undefined)
    return { wanted: [], leftOut: [{ kind: 'index', name: ANY, reason: { code: 'not-a-table', kind } }] };
  const found: readonly (WantedObject | LeftOutObject)[] = [
    ...wantedIndexes(facts),
    ...(settings.constraints === 'copy'
      ? [...wantedChecks(facts), ...wantedDefaults(facts), ...wantedForeignKeys(facts)]
      : []),
  ];
  return {
    wanted: found.flatMap((each) => ('reason' in each ? [] : [each])),
    leftOut: found.flatMap((each) => ('reason' in each ? [each] : [])),
  };
}
