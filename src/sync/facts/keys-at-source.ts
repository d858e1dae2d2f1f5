/** The keys of a table by their names at the source, for messages and statements about the source. Pure. */
import type { TableSettings } from '../../config/settings.ts';
import { sourceColumn } from '../../schema/selection.ts';

export type TableKeys = Pick<TableSettings, 'replicationKey' | 'mergeKey'>;

export const keysAtSource = ({
  replicationKey,
  mergeKey,
  selection,
}: TableKeys & Pick<TableSettings, 'selection'>): TableKeys => ({
  replicationKey: replicationKey === undefined ? undefined : sourceColumn(selection, replicationKey),
  mergeKey: mergeKey.map((name) => sourceColumn(selection, name)),
});
