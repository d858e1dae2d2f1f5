/** What there is to say of how rows are written: pure. */
import type { KeyType } from '../schema/keys.ts';
import { isAppend, rowKey } from '../schema/row-identity.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { note, warning, type Finding } from './finding.ts';
import type { Inspection } from './inspect.ts';

interface Keyed {
  readonly keyType: KeyType;
}

export const writingFindings = (table: TableFacts, plan: Keyed, found: Inspection): Finding[] => [
  ...versionFindings(table, plan),
  ...conflictFindings(table, plan, found.keyTriggers.get(table) ?? []),
];

function versionFindings({ settings }: TableFacts, { keyType }: Keyed): Finding[] {
  if (!isAppend(settings)) return [];
  const { name, replicationKey: key } = settings;
  if (keyType === 'integer')
    return [
      warning(
        'VERSIONS',
        name,
        `versions are told apart by ${key}, an integer: what is updated without a new one is the same version, and overwritten`,
        'Choose a time that each update sets as the replication key, unless rows are only ever inserted.',
      ),
    ];
  if (keyType === 'date')
    return [
      warning(
        'VERSIONS',
        name,
        `versions are told apart by ${key}, a date: of each day the last one is kept`,
        'Choose a column with the time of day as the replication key, unless one version a day is what you want.',
      ),
    ];
  return [
    note(
      'VERSIONS',
      name,
      `versions are told apart by ${key}, which each update has to set; between two runs only the last of several updates is seen, and two changes with the same (${rowKey(settings).join(', ')}) are one version`,
    ),
  ];
}

function conflictFindings(
  { settings }: TableFacts,
  { keyType }: Keyed,
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
            `on_conflict "last_update_wins" compares ${key}, an integer: each side counts for itself, so the higher one need not be the newer`,
            'Choose a timestamptz that each update sets as the replication key.',
          ),
        ]
      : []),
    ...triggers.map((trigger) =>
      warning(
        'CONFLICT_TRIGGER',
        name,
        `the trigger ${trigger} at the destination may set ${key} in rows that increp writes, so that they look newer than the source's, and two opposite pipelines never settle`,
        `Let it set ${key} only where the statement itself does not: IF NEW.${key} IS NOT DISTINCT FROM OLD.${key} THEN ... END IF`,
      ),
    ),
  ];
}
