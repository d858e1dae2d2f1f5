/** Cautions about the keys of tables that `init` is about to configure: pure. */
import { listed, listedWithin, nameInList } from '../format.ts';
import { isVersioned, missedBy, UNENFORCED, versionedStep } from '../schema/key-candidates.ts';
import { isKeyed, type ChosenTable } from './choose-tables.ts';
import type { TableProposal } from './propose-options.ts';

const LISTED = 3;
/** Characters of names: about a line of the screen. */
const LINE = 80;

/**
 * About tables that increp or a flag gave a replication key. It is a note, as in `check`, and names only a few of the tables,
 * because in many databases no table has a trigger. Keys that show only inserts have a warning of their own.
 */
export function triggerNote(
  chosen: readonly ChosenTable[],
  tables: readonly TableProposal[],
): string | undefined {
  const missing = chosen
    .filter(isKeyed)
    .filter(({ name, replicationKey, mergeKey }) =>
      tables.some(
        (table) =>
          table.name === name &&
          table.lacksUpdateTrigger &&
          !seesOnlyInserts(table, replicationKey) &&
          !missesLowerKeys(table, replicationKey, mergeKey),
      ),
    );
  if (missing.length === 0) return undefined;
  const [key = '', ...otherKeys] = new Set(missing.map(({ replicationKey }) => replicationKey));
  const [sets, it] = otherKeys.length === 0 ? [key, 'it'] : ['the replication keys', 'the key'];
  const names = listedWithin(
    missing.map(({ name }) => name),
    LINE,
  );
  return `No trigger sets ${sets} of ${names}. increp misses a change by an application that does not set ${it}. See "increp help 'Index and trigger for the replication key'".`;
}

export const seesOnlyInserts = ({ keys }: TableProposal, replicationKey: string): boolean =>
  keys.some(({ column, sees }) => column === replicationKey && sees === 'inserts');

/** Whether new rows can have a lower key than the rows before them, such as the number of an order in another table. */
export const missesLowerKeys = (
  { keys, mergeKey, relation }: TableProposal,
  replicationKey: string,
  columns: readonly string[] = mergeKey?.columns ?? [],
): boolean =>
  !keys.some(({ column, sees }) => column === replicationKey && sees === 'changes') &&
  missedBy(relation, replicationKey, columns) === 'lower-keys';

/** Of tables whose unique key contains the replication key, such as a table that is partitioned by this column. */
export function versionCaution(
  chosen: readonly ChosenTable[],
  tables: readonly TableProposal[],
): string | undefined {
  const [first, ...others] = chosen
    .filter(isKeyed)
    .filter(({ name, replicationKey, mergeKey }) =>
      tables.some((table) => table.name === name && isVersioned(table.keys, replicationKey, mergeKey)),
    );
  if (!first) return undefined;
  const names = listed(
    [first, ...others].map(({ name, mergeKey }) => `${nameInList(name)} (${mergeKey.join(', ')})`),
    LISTED,
  );
  const step =
    others.length === 0
      ? versionedStep(first.replicationKey, first.mergeKey)
      : `If rows are updated, set "unique_cols" to columns that do not change and that identify a row. ${UNENFORCED} Or set "deletes": "hard", which removes the earlier rows.`;
  return `The replication key is in the unique key of ${names}, so each update of a row adds a row at the destination and leaves the earlier one. ${step}`;
}
