/** `skip_unchanged`: how to check whether the source still holds the rows that a full refresh has read. Pure. */
import { createHash } from 'node:crypto';
import type { TableSettings } from '../../config/settings.ts';
import { isServerBound } from '../../schema/columns.ts';
import { showsWriters, type Relation } from '../../schema/relations.ts';
import { isSameInstance, type Contents } from '../../schema/state-record.ts';
import type { TableFacts } from '../facts/facts.ts';

export type WasRead = Pick<Contents, 'rows' | 'digest'>;

/**
 * A hash of the settings that determine the rows of the destination table. A change of them causes a load. The settings
 * named here have no effect on the rows; a new setting counts unless it is added here.
 */
export function contentSettings(settings: TableSettings): string {
  const {
    initialLoad: _1,
    chunk: _2,
    loadJobs: _3,
    onSchemaChange: _4,
    lookbackSeconds: _5,
    nullKeys: _6,
    deletesEverySeconds: _7,
    deletionLog: _13,
    deleteLimit: _8,
    maxStalenessSeconds: _9,
    skipUnchanged: _10,
    isEnabled: _11,
    inheritedKeys: _12,
    droppedColumns: _14,
    warnStalenessSeconds: _15,
    ...deciding
  } = settings;
  const sorted = Object.entries(deciding).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16);
}

export type UnchangedCheck =
  /** No transaction wrote rows since that transaction ID, and the number of rows is the same. */
  | { readonly kind: 'transaction-ids'; readonly since: string; readonly known: Contents }
  /** Every row is hashed. */
  | { readonly kind: 'digest'; readonly digest: string; readonly known: Contents };

/**
 * Whether transaction IDs show that no row has changed. They do not in these cases:
 * - a table with children: a child may have been attached later, with rows from old transactions;
 * - a selection whose result depends on more than the row;
 * - a view or a foreign table, which has no transaction IDs of its own;
 * - virtual generated columns, and values that print as object names: they change without a write to the row.
 */
export const transactionIdsShowChanges = ({ selected }: TableFacts, source: Relation): boolean =>
  selected.isSteady &&
  showsWriters(source) &&
  !source.hasForeignRows &&
  source.columns.every(
    ({ generated, base }) => generated !== 'v' && !isServerBound((base.element ?? base).type),
  );

/** Undefined if only a load can show whether the rows have changed. */
export function unchangedCheckFor(facts: TableFacts, source: Relation): UnchangedCheck | undefined {
  const { saved, settings } = facts;
  // A warning says that the state at the destination is not the last one, so its rows may not be the last ones either.
  if (!settings.skipUnchanged || saved.kind !== 'record' || saved.warnings.length > 0 || saved.isOtherTable)
    return undefined;
  const { contents: known, settledXid, shape, sourceLife } = saved.record;
  if (!known || known.settings !== contentSettings(settings)) return undefined;
  if (!transactionIdsShowChanges(facts, source))
    return known.digest === null ? undefined : { kind: 'digest', digest: known.digest, known };
  const isKnown =
    settledXid !== null && shape.oid === source.oid && isSameInstance(sourceLife, facts.servers.source);
  return isKnown ? { kind: 'transaction-ids', since: settledXid, known } : undefined;
}
