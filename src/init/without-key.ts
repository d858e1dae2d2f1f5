/** Why a table is read completely although the user was asked for a key, and the entry that changes this: pure. */
import { listed } from '../format.ts';
import { ADD_KEY, NO_KEY, type KeyedTable } from './choose-tables.ts';
import { keyedEntry } from './config-text.ts';
import { possibleKeys, type Obstacle, type TableProposal } from './propose-options.ts';

/** The user chose no replication key. */
export function withoutReplicationKey(table: TableProposal): Obstacle {
  const { name, keys, mergeKey } = table;
  const [best] = keys;
  const possible = possibleKeys(table);
  const replicationKey = best?.column ?? possible[0];
  if (replicationKey === undefined)
    return { why: 'no column has a type that can be a replication key', next: ADD_KEY };
  const others = possible.filter((column) => column !== replicationKey);
  return {
    why: best ? 'no replication key was chosen' : NO_KEY,
    next: [
      entryStep({ name, replicationKey, mergeKey: mergeKey?.columns }),
      best?.sees === 'inserts'
        ? 'This key shows inserts, but no updates.'
        : 'The key must grow with every change.',
      ...(others.length === 0 ? [] : [`Other possible keys: ${listed(others, MOST_NAMED)}.`]),
    ].join(' '),
  };
}

const MOST_NAMED = 5;

interface WantedEntry extends Omit<KeyedTable, 'mergeKey'> {
  /** Undefined if no columns are known to identify a row. */
  readonly mergeKey: readonly string[] | undefined;
}

/** The entry has "mode": "full-refresh", with which a replication key has no effect, so it is replaced. */
export const entryStep = ({ mergeKey, ...table }: WantedEntry): string =>
  mergeKey === undefined
    ? `To copy only changes, replace the entry in tables-config.json by ${keyedEntry({ ...table, mergeKey: ['COLUMN'] })}, where unique_cols are columns that identify a row.`
    : `To copy only changes, replace the entry in tables-config.json by ${keyedEntry({ ...table, mergeKey })}.`;
