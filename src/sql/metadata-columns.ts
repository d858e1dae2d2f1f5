/** SQL for metadata columns at the destination: their values, and the rows that belong to this pipeline. */
import { DELETED_AT, ROW_VERSION, SOURCE, SYNCED_AT } from '../schema/metadata-columns.ts';
import { ident, literal } from './identifiers.ts';
import { EQUALS } from './search-path.ts';

export interface MetadataColumnDefinition {
  readonly name: string;
  readonly type: string;
  /** The value of a new row, as an expression; undefined for NULL. */
  readonly inserted?: string;
  /** The value of a changed row; undefined if the row keeps its value. */
  readonly changed?: string;
  /** The value of a deleted row, if deleted rows are marked and not removed. */
  readonly marked?: string;
  /** The value of rows that exist when the column is added, as a constant; undefined for NULL. */
  readonly existing?: string;
  /** The column that marks deleted rows. A row that exists again is changed, even if its other columns are equal. */
  readonly isMark?: true;
  /** True if rows with another value belong to another pipeline. */
  readonly isIdentity?: true;
}

export const deletedMark: MetadataColumnDefinition = {
  name: DELETED_AT,
  type: 'timestamptz',
  changed: 'NULL',
  marked: 'pg_catalog.now()',
  isMark: true,
};

/** The column from earlier settings. Each row that increp writes loses its mark, and no row is marked. */
export const formerMark: MetadataColumnDefinition = {
  name: DELETED_AT,
  type: deletedMark.type,
  changed: 'NULL',
  isMark: true,
};

const syncedAt: MetadataColumnDefinition = {
  name: SYNCED_AT,
  type: 'timestamptz',
  inserted: 'pg_catalog.now()',
  changed: 'pg_catalog.now()',
  marked: 'pg_catalog.now()',
};

const sourceName = (pipeline: string): MetadataColumnDefinition => ({
  name: SOURCE,
  type: 'text',
  inserted: literal(pipeline),
  isIdentity: true,
});

/** Rows that were written before, or by a sync that records no versions, are taken as increp left them. */
const AS_LEFT = `'{}'::text[]`;

/** The statements of a merge know its values. */
const rowVersion: MetadataColumnDefinition = { name: ROW_VERSION, type: 'text[]', existing: AS_LEFT };

/** A table that has the column from earlier settings. A version in it would be outdated. */
export const formerVersion: MetadataColumnDefinition = {
  ...rowVersion,
  inserted: AS_LEFT,
  changed: AS_LEFT,
};

export interface MetadataColumnSettings {
  readonly tracksVersions?: boolean;
  readonly deletes: string;
  readonly metadataColumns: readonly string[];
}

export const metadataColumnDefinitions = (
  { deletes, metadataColumns, tracksVersions = false }: MetadataColumnSettings,
  pipeline: string,
): readonly MetadataColumnDefinition[] => [
  ...(deletes === 'soft' ? [deletedMark] : []),
  ...(tracksVersions ? [rowVersion] : []),
  ...(metadataColumns.includes(SYNCED_AT) ? [syncedAt] : []),
  ...(metadataColumns.includes(SOURCE) ? [sourceName(pipeline)] : []),
];

export const markIn = (columns: readonly MetadataColumnDefinition[]): MetadataColumnDefinition | undefined =>
  columns.find(({ isMark }) => isMark);

/** The conditions for rows of this pipeline; empty if all rows belong to it. */
export const pipelineConditions = (columns: readonly MetadataColumnDefinition[], alias = ''): string[] =>
  columns.flatMap(({ name, inserted, isIdentity }) =>
    isIdentity && inserted !== undefined ? [`${alias}${ident(name)} ${EQUALS} ${inserted}`] : [],
  );

/** The `SET` items of a statement. */
export const assigned = (
  columns: readonly MetadataColumnDefinition[],
  when: 'changed' | 'marked',
): string[] =>
  columns.flatMap(({ name, [when]: value }) => (value === undefined ? [] : [`${ident(name)} = ${value}`]));
