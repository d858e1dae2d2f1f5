/** What a run knows of a table before and after its turn. The full facts of thousands of tables would take too much memory. */
import type { TableSettings } from '../../config/settings.ts';
import type { TableName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import type { TableFacts } from '../facts/facts.ts';
import { cursorBefore } from './table-outcome.ts';

type References = Pick<Relation, 'oid' | 'references'>;

export interface TableOutline {
  readonly settings: TableSettings;
  readonly destinationName: TableName;
  readonly source: References | undefined;
  readonly destination: References | undefined;
  readonly recordName: string;
  readonly cursor: string | null;
  /** The last sync, or the last chunk of an interrupted load: milliseconds since 1970. -Infinity if there is none. */
  readonly lastAt: number;
}

export function outlineOf(facts: TableFacts): TableOutline {
  const { settings, destinationName, source, destination, recordName, saved, pendingLoad } = facts;
  return {
    settings,
    destinationName,
    source: referencesOf(source),
    destination: referencesOf(destination),
    recordName,
    cursor: cursorBefore(facts),
    lastAt: Math.max(
      saved.kind === 'record' ? Date.parse(saved.record.syncedAt) : -Infinity,
      // The history has no entry for a load that a time limit stopped.
      pendingLoad?.lastAt.getTime() ?? -Infinity,
    ),
  };
}

const referencesOf = (relation: Relation | undefined): References | undefined =>
  relation && { oid: relation.oid, references: relation.references };
