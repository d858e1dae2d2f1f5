/** Why a table is read completely although the user was asked for a key, and the entry that changes this: pure. */
import { listed } from '../format.ts';
import { addKey, NO_KEY, type KeyedTable } from './choose-tables.ts';
import { keyedEntry } from './config-text.ts';
import { missesLowerKeys } from './key-cautions.ts';
import { possibleKeys, type Obstacle, type TableProposal } from './propose-options.ts';

/** The user chose no replication key. `mergeKey`: the columns that identify a row, if they are known. */
export function withoutReplicationKey(
  table: TableProposal,
  mergeKey: readonly string[] | undefined = table.mergeKey?.columns,
): Obstacle {
  const { name, relation, keys } = table;
  const [best, ...others] = keys;
  if (!best)
    return {
      why: possibleKeys(table).length > 0 ? NO_KEY : 'no column has a type that can be a replication key',
      next: addKey(relation),
    };
  return {
    why: 'no replication key was chosen',
    next: [
      entryStep({ name, replicationKey: best.column, mergeKey }),
      missesLowerKeys(table, best.column, mergeKey)
        ? 'This key shows neither updates nor new rows with a lower key.'
        : best.sees === 'inserts'
          ? 'This key shows inserts, but no updates.'
          : 'The key must grow with every change.',
      ...(others.length === 0
        ? []
        : [
            `Other possible replication keys: ${listed(
              others.map(({ column }) => column),
              MOST_NAMED,
            )}.`,
          ]),
    ].join(' '),
  };
}

/** The user chose no columns that identify a row. */
export function withoutUniqueKey(table: TableProposal, chosenKey?: string): Obstacle {
  const { name, keys } = table;
  const replicationKey = chosenKey ?? keys[0]?.column;
  return replicationKey === undefined
    ? withoutReplicationKey(table)
    : {
        why: 'no columns that identify a row were chosen',
        next: entryStep({ name, replicationKey, mergeKey: undefined }),
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
