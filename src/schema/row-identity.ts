/** The columns that identify a row of the destination table. */
import { SOURCE, type MetadataColumn } from './metadata-columns.ts';
import { enforcedKey, isUniqueBy, type Relation } from './relations.ts';

/** The settings that determine the identity of a row. */
export interface Writing {
  readonly mode: string;
  readonly mergeKey: readonly string[];
  /** Mode full-refresh has none. */
  readonly replicationKey: string | null | undefined;
  readonly metadataColumns: readonly MetadataColumn[];
}

/** Whether every version of a row is kept. */
export const isAppend = ({ mode }: Pick<Writing, 'mode'>): boolean => mode === 'incremental-append';

/** Whether several pipelines may share the table. Each has its own rows. */
export const isShared = ({ metadataColumns }: Pick<Writing, 'metadataColumns'>): boolean =>
  metadataColumns.includes(SOURCE);

/** Source columns that identify a row at the destination: the unique key. A history also needs the replication key. */
export const rowKey = (writing: Pick<Writing, 'mode' | 'mergeKey' | 'replicationKey'>): readonly string[] => {
  const { mergeKey, replicationKey } = writing;
  return isAppend(writing) && typeof replicationKey === 'string' && !mergeKey.includes(replicationKey)
    ? [...mergeKey, replicationKey]
    : mergeKey;
};

/** Whether these are the same columns in the same order. */
export const isSameKey = (one: readonly string[], other: readonly string[]): boolean =>
  one.join('\n') === other.join('\n');

/** The columns of the unique index at the destination. */
export const copyKey = (writing: Writing): readonly string[] =>
  isShared(writing) ? [SOURCE, ...rowKey(writing)] : rowKey(writing);

/** The key of the rows, and a key that the source enforces. */
export const keyOfRows = (
  writing: Pick<Writing, 'mode' | 'mergeKey' | 'replicationKey'>,
  source: Relation,
) => ({
  columns: rowKey(writing),
  isAppend: isAppend(writing),
  enforced: enforcedKey(source),
});

/** A key that the source enforces, unless the replication key is in it: then each update would add a row. */
export function stableKey(
  source: Relation,
  replicationKey: string | null | undefined,
): readonly string[] | undefined {
  const key = enforcedKey(source);
  return typeof replicationKey === 'string' && key?.includes(replicationKey) ? undefined : key;
}

/** Whether the source has at most one row for each `rowKey`. */
export const isKeyEnforced = (
  writing: Pick<Writing, 'mode' | 'mergeKey' | 'replicationKey'>,
  source: Relation,
): boolean => writing.mergeKey.length === 0 || isUniqueBy(source, rowKey(writing));
