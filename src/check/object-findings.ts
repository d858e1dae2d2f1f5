/** Findings about indexes of the source that increp copies: pure. */
import { listed } from '../format.ts';
import { leftOutLine, objectText } from '../report/object-texts.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import type { CopiedTable } from '../sync/objects/copied-table.ts';
import { plannedObjects } from '../sync/objects/planned-objects.ts';
import { note, warning, type Finding } from './finding.ts';

/** The number of objects that a message names. */
const LISTED = 5;

export function objectFindings(
  { settings: { name }, destination }: TableFacts,
  copied: CopiedTable | undefined,
): Finding[] {
  if (!copied) return [];
  const objects = plannedObjects(copied);
  const missing = objects.filter(({ change }) => change === 'create' || change === 'replace');
  return [
    // Before the first load, nothing is there yet.
    ...(missing.length === 0 || !destination
      ? []
      : [
          warning(
            'OBJECT_MISSING',
            name,
            `the destination lacks ${listed(missing.map(objectText), LISTED)} of the source`,
            'The next sync creates them. If it has tried before, its warnings say why they were refused: "increp history".',
          ),
        ]),
    ...objects.flatMap((object) =>
      object.change === 'leave out'
        ? [note('OBJECT_LEFT_OUT', name, `increp does not copy ${leftOutLine(object)}`)]
        : [],
    ),
  ];
}
