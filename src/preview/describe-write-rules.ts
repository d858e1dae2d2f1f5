/** Describes how rows are written, if this is not the default: pure. */
import { listed } from '../format.ts';
import { unenforcedKeyText } from '../report/key-texts.ts';
import { SOURCE, SYNCED_AT } from '../schema/metadata-columns.ts';
import { isAppend, isKeyEnforced, isShared, keyOfRows, rowKey } from '../schema/row-identity.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { keptColumns } from '../sync/plan/alteration.ts';
import type { LoadPlan } from '../sync/plan/plan.ts';
import { blockingKeys } from '../sync/plan/reload-guard.ts';

const SHOWN_COLUMNS = 8;

export function writingRules(table: TableFacts): string[] {
  const { settings, pipeline, destination, source } = table;
  return [
    ...(isAppend(settings)
      ? [`every version of a row is kept, one for each (${rowKey(settings).join(', ')}); no row is removed`]
      : []),
    ...(isShared(settings) ? [`only rows whose "${SOURCE}" is '${pipeline}' are read or changed`] : []),
    ...(settings.onConflict === 'last_update_wins'
      ? [`a destination row with a newer ${settings.replicationKey} is kept; no row is removed`]
      : []),
    ...(settings.merge.length > 0
      ? [
          `${listed(
            settings.merge.map(({ name }) => name),
            SHOWN_COLUMNS,
          )} of existing rows are merged, once for each version of a row; no row is removed`,
        ]
      : []),
    ...(settings.conflictLog
      ? ['rows that others changed at the destination are recorded in _increp_conflicts']
      : []),
    ...(settings.deletes === 'keep' && !isAppend(settings)
      ? ['rows that are gone from the source stay ("deletes": "keep")']
      : []),
    ...(source ? keptColumns(table, source) : []).flatMap(({ name }) =>
      table.sourceColumns?.includes(name) === true
        ? []
        : [`column "${name}" stays with its values, although the source no longer has it`],
    ),
    ...(settings.metadataColumns.includes(SYNCED_AT)
      ? [`"${SYNCED_AT}" contains the time when each row was last written`]
      : []),
    ...(destination ? blockingKeys(table).ownIndexes : []).map(
      ({ index }) => `index ${index} is replaced by an index on all columns that identify a row`,
    ),
  ];
}

/** Before rows are left out. After the load, only `check` says so. */
export const keyNotes = ({ settings }: TableFacts, { action, source }: LoadPlan): string[] =>
  action === 'full-refresh' || isKeyEnforced(settings, source)
    ? []
    : [unenforcedKeyText(keyOfRows(settings, source))];
