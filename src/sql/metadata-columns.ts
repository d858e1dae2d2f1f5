/** Columns of ours at the destination, as SQL: what they hold, and which rows they make ours. */
import { DELETED_AT, SOURCE, SYNCED_AT } from '../schema/metadata-columns.ts';
import { ident, literal } from './identifiers.ts';
import { EQUALS } from './search-path.ts';

export interface OwnColumn {
  readonly name: string;
  readonly type: string;
  /** What a new row holds, as an expression; undefined for NULL. */
  readonly inserted?: string;
  /** What a row holds that was changed; undefined: it keeps what it has. */
  readonly changed?: string;
  /** What a row holds that is gone from the source, where such rows are marked and not removed. */
  readonly marked?: string;
  /** Such rows are marked here. A row that is there again is changed, whatever else it holds. */
  readonly isMark?: true;
  /** Rows with another value are somebody else's. */
  readonly isIdentity?: true;
}

export const deletedMark: OwnColumn = {
  name: DELETED_AT,
  type: 'timestamptz',
  changed: 'NULL',
  marked: 'pg_catalog.now()',
  isMark: true,
};

const syncedAt: OwnColumn = {
  name: SYNCED_AT,
  type: 'timestamptz',
  inserted: 'pg_catalog.now()',
  changed: 'pg_catalog.now()',
  marked: 'pg_catalog.now()',
};

const sourceName = (pipeline: string): OwnColumn => ({
  name: SOURCE,
  type: 'text',
  inserted: literal(pipeline),
  isIdentity: true,
});

export interface OwnColumnsOf {
  readonly deletes: string;
  readonly metadataColumns: readonly string[];
}

export const ownColumns = (
  { deletes, metadataColumns }: OwnColumnsOf,
  pipeline: string,
): readonly OwnColumn[] => [
  ...(deletes === 'soft' ? [deletedMark] : []),
  ...(metadataColumns.includes(SYNCED_AT) ? [syncedAt] : []),
  ...(metadataColumns.includes(SOURCE) ? [sourceName(pipeline)] : []),
];

export const markIn = (own: readonly OwnColumn[]): OwnColumn | undefined => own.find(({ isMark }) => isMark);

/** Conditions by which a row is one of ours; none where all are. */
export const oursIn = (own: readonly OwnColumn[], alias = ''): string[] =>
  own.flatMap(({ name, inserted, isIdentity }) =>
    isIdentity && inserted !== undefined ? [`${alias}${ident(name)} ${EQUALS} ${inserted}`] : [],
  );

/** `SET` items of a statement. */
export const assigned = (own: readonly OwnColumn[], when: 'changed' | 'marked'): string[] =>
  own.flatMap(({ name, [when]: value }) => (value === undefined ? [] : [`${ident(name)} = ${value}`]));
