/** How the rows of a copy are written, in words, where that is not plain: pure. */
import { SOURCE, SYNCED_AT } from '../schema/metadata-columns.ts';
import { isAppend, isShared, rowKey } from '../schema/row-identity.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { blockingKeys } from '../sync/plan/reload-guard.ts';

export function writingRules(table: TableFacts): string[] {
  const { settings, pipeline, destination } = table;
  return [
    ...(isAppend(settings)
      ? [`every version is kept, one for each (${rowKey(settings).join(', ')}); none is removed`]
      : []),
    ...(isShared(settings) ? [`only those whose "${SOURCE}" is '${pipeline}' are read or changed`] : []),
    ...(settings.onConflict === 'last_update_wins'
      ? [`one of the destination with a newer ${settings.replicationKey} is left alone; none is removed`]
      : []),
    ...(settings.metadataColumns.includes(SYNCED_AT)
      ? [`"${SYNCED_AT}" tells when each was written last`]
      : []),
    ...(destination ? blockingKeys(table).ours : []).map(
      ({ index }) => `index ${index} makes way for one on all that identifies them`,
    ),
  ];
}
