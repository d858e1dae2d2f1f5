/** Findings about how rows are written: pure. */
import { isAppend, rowKey } from '../schema/row-identity.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import type { Keyed } from '../sync/plan/plan.ts';
import { note, warning, type Finding } from './finding.ts';
import type { Inspection } from './inspect.ts';

export const modeFindings = (
  table: TableFacts,
  plan: Pick<Keyed, 'keyType'>,
  found: Inspection,
): Finding[] => [
  ...versionFindings(table, plan),
  ...conflictFindings(table, plan, found.keyTriggers.get(table) ?? []),
];

function versionFindings({ settings }: TableFacts, { keyType }: Pick<Keyed, 'keyType'>): Finding[] {
  if (!isAppend(settings)) return [];
  const { name, replicationKey: key } = settings;
  if (keyType === 'integer')
    return [
      warning(
        'VERSIONS',
        name,
        `${key} is an integer. An update that does not change ${key} overwrites the stored version.`,
        'Use a timestamp that each update sets as the replication key, unless rows are only inserted.',
      ),
    ];
  if (keyType === 'date')
    return [
      warning(
        'VERSIONS',
        name,
        `${key} is a date, so only the last version of each day is kept`,
        'Use a column with the time of day as the replication key, unless one version per day is enough.',
      ),
    ];
  return [
    note(
      'VERSIONS',
      name,
      `Each update must set ${key}, which distinguishes the versions of a row. Of several updates between two runs, only the last is kept. Changes with the same (${rowKey(settings).join(', ')}) are one version.`,
    ),
  ];
}

function conflictFindings(
  { settings }: TableFacts,
  { keyType }: Pick<Keyed, 'keyType'>,
  triggers: readonly string[],
): Finding[] {
  if (settings.onConflict !== 'last_update_wins') return [];
  const { name, replicationKey: key } = settings;
  return [
    ...(keyType === 'integer'
      ? [
          warning(
            'CONFLICT_KEY',
            name,
            `on_conflict "last_update_wins" compares ${key}, an integer. Each side assigns integers independently, so a higher value is not always newer.`,
            'Use a timestamptz that each update sets as the replication key.',
          ),
        ]
      : []),
    ...triggers.map((trigger) =>
      warning(
        'CONFLICT_TRIGGER',
        name,
        `the trigger ${trigger} at the destination may set ${key} in rows that increp writes. Then they look newer than the source, and two pipelines in opposite directions copy these rows endlessly.`,
        `Set ${key} in the trigger only if the statement does not set it: IF NEW.${key} IS NOT DISTINCT FROM OLD.${key} THEN ... END IF`,
      ),
    ),
  ];
}
