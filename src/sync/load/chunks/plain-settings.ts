import type { TableSettings } from '../../../config/settings.ts';
import { rowKey } from '../../../schema/row-identity.ts';

/** The staging table of a load in chunks equals the source. Marked rows and metadata columns come in at its end. */
export const plainSettings = (settings: TableSettings): TableSettings => ({
  ...settings,
  mode: 'incremental-deduped',
  mergeKey: rowKey(settings),
  deletes: 'hard',
  metadataColumns: [],
  onConflict: 'source_wins',
});
