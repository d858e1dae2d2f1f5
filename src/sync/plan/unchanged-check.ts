/** `skip_unchanged`: how to tell whether the source still holds what a full refresh has read. Pure. */
import { createHash } from 'node:crypto';
import type { TableSettings } from '../../config/settings.ts';
import { isServerBound } from '../../schema/columns.ts';
import { showsWriters, type Relation } from '../../schema/relations.ts';
import { isSameInstance, type Contents } from '../../schema/state-record.ts';
import type { TableFacts } from '../facts/facts.ts';

export type WasRead = Pick<Contents, 'rows' | 'digest'>;

/** What has no say in what the copy holds. Whatever is not named here has: a setting that is changed loads again. */
export function contentSettings(settings: TableSettings): string {
  const {
    initialLoad: _1,
    chunk: _2,
    loadJobs: _3,
    onSchemaChange: _4,
    lookbackSeconds: _5,
    nullKeys: _6,
    deletesEverySeconds: _7,
    deleteLimit: _8,
    maxStalenessSeconds: _9,
    skipUnchanged: _10,
    isEnabled: _11,
    ...deciding
  } = settings;
  const sorted = Object.entries(deciding).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16);
}

/** How the source is asked whether it still holds what was read. */
export type UnchangedCheck =
  /** No transaction wrote rows since that transaction ID, and the number of rows is the same. */
  | { readonly kind: 'transaction-ids'; readonly since: string; readonly known: Contents }
  /** Every row is hashed. */
  | { readonly kind: 'digest'; readonly digest: string; readonly known: Contents };

/**
 * Where the numbers of transactions tell. Of the rows that a parent has now, some may have been written long ago to a
 * table that was no part of it then, what a selection makes of a row may depend on more than the row, and a view, like
 * another server, has no numbers of its own. What is computed when it is read, and names of objects, which can be renamed,
 * change with no row written.
 */
export const hasTransactionIds = ({ selected }: TableFacts, source: Relation): boolean =>
  selected.isSteady &&
  showsWriters(source) &&
  !source.hasForeignRows &&
  source.columns.every(
    ({ generated, base }) => generated !== 'v' && !isServerBound((base.element ?? base).type),
  );

/** Pure. Undefined where only reading everything can tell. */
export function unchangedCheckFor(facts: TableFacts, source: Relation): UnchangedCheck | undefined {
  const { saved, settings } = facts;
  // Where the state of the destination is not what it was left as, its rows may not be either.
  if (!settings.skipUnchanged || saved.kind !== 'record' || saved.warnings.length > 0) return undefined;
  const { contents: known, settledXid, shape, sourceLife } = saved.record;
  if (!known || known.settings !== contentSettings(settings)) return undefined;
  if (!hasTransactionIds(facts, source))
    return known.digest === null ? undefined : { kind: 'digest', digest: known.digest, known };
  const isKnown =
    settledXid !== null && shape.oid === source.oid && isSameInstance(sourceLife, facts.servers.source);
  return isKnown ? { kind: 'transaction-ids', since: settledXid, known } : undefined;
}
