/** What makes two rows of a copy the same row. */
import { SOURCE, type MetadataColumn } from './metadata-columns.ts';

/** How rows are written. */
export interface Writing {
  readonly mode: string;
  readonly mergeKey: readonly string[];
  /** None in mode full-refresh. */
  readonly replicationKey: string | null | undefined;
  readonly metadataColumns: readonly MetadataColumn[];
}

/** Whether every version of a row is kept. */
export const isAppend = ({ mode }: Pick<Writing, 'mode'>): boolean => mode === 'incremental-append';

/** Whether several pipelines may share the table, each with rows of its own. */
export const isShared = ({ metadataColumns }: Pick<Writing, 'metadataColumns'>): boolean =>
  metadataColumns.includes(SOURCE);

/** Columns of the source that identify a row of the copy: the merge key, of a history with the replication key. */
export const rowKey = (writing: Pick<Writing, 'mode' | 'mergeKey' | 'replicationKey'>): readonly string[] => {
  const { mergeKey, replicationKey } = writing;
  return isAppend(writing) && typeof replicationKey === 'string' && !mergeKey.includes(replicationKey)
    ? [...mergeKey, replicationKey]
    : mergeKey;
};

/** The same at the destination, where it is what the unique index is on. */
export const copyKey = (writing: Writing): readonly string[] =>
  isShared(writing) ? [SOURCE, ...rowKey(writing)] : rowKey(writing);
