/** The metadata columns of destination tables, and the rows that `deletes: "soft"` marked, which a load must keep. */
import type pg from 'pg';
import { carriedType, type Column } from '../../schema/columns.ts';
import { DELETED_AT, SOURCE, SYNCED_AT } from '../../schema/metadata-columns.ts';
import type { Relation } from '../../schema/relations.ts';
import { addMetadataColumn, copyMarked, fillMetadataColumn } from '../../sql/destination.ts';
import { metadataColumnDefinitions, type MetadataColumnDefinition } from '../../sql/metadata-columns.ts';
import type { CopyFacts } from '../facts/facts.ts';

export const metadataColumnsOf = ({ settings, pipeline }: Pick<CopyFacts, 'settings' | 'pipeline'>) =>
  metadataColumnDefinitions(settings, pipeline);

const hasColumn = (relation: Relation | undefined, wanted: string): boolean =>
  relation?.columns.some(({ name }) => name === wanted) === true;

const hasMark = (relation: Relation | undefined): boolean => hasColumn(relation, DELETED_AT);

/** The metadata columns that the destination table lacks. */
export const missingMetadataColumns = (facts: CopyFacts): readonly MetadataColumnDefinition[] =>
  metadataColumnsOf(facts).filter(({ name }) => !hasColumn(facts.destination, name));

/** The value for existing rows. All existing rows belong to this pipeline, because no other pipeline marked its rows before. */
export const filledForNow = ({ isIdentity, inserted }: MetadataColumnDefinition): string | undefined =>
  isIdentity ? inserted : undefined;

/** For a table that was created before the columns were configured. It must be locked against readers or have the columns already. */
export async function ensureMetadataColumns(client: pg.ClientBase, facts: CopyFacts): Promise<void> {
  const { destinationName } = facts;
  const missing = missingMetadataColumns(facts);
  for (const column of metadataColumnsOf(facts)) {
    const filled = filledForNow(column);
    if (missing.includes(column)) await client.query(addMetadataColumn(destinationName, column, filled));
    else if (filled !== undefined && !wasKeptApart(facts))
      await client.query(fillMetadataColumn(destinationName, column, filled));
  }
}

const wasKeptApart = ({ saved }: CopyFacts): boolean =>
  saved.kind === 'record' && saved.record.writtenAs?.metadataColumns.includes(SOURCE) === true;

/** Adds the column `_deleted_at` to a staging table that will become the destination table. */
export async function prepareMarks(client: pg.ClientBase, facts: CopyFacts): Promise<void> {
  for (const column of metadataColumnsOf(facts))
    if (column.isMark) await client.query(addMetadataColumn(facts.stagingName, column));
}

/** Adds the other columns after all rows are loaded. Their defaults do not rewrite the rows. */
export async function completeMetadataColumns(client: pg.ClientBase, facts: CopyFacts): Promise<void> {
  for (const column of metadataColumnsOf(facts).filter(({ isMark }) => !isMark))
    await client.query(addMetadataColumn(facts.stagingName, column, column.inserted));
}

/**
 * Copies the rows that are marked as deleted into the new table, with the columns that both shapes have. If the new shape
 * has a NOT NULL column that the marked rows lack, they are not copied.
 */
export async function keepMarked(client: pg.ClientBase, facts: CopyFacts, source: Relation): Promise<void> {
  const { destination, destinationName, stagingName, settings, natives } = facts;
  if (!destination || !hasMark(destination)) return;
  const isShared = ({ name, type }: Column) =>
    destination.columns.some((column) => column.name === name && column.type === type);
  const shared = source.columns.filter((column) =>
    isShared({ ...column, type: carriedType(column, natives) }),
  );
  const key = shared.filter(({ name }) => settings.mergeKey.includes(name));
  const isComplete = source.columns.every((column) => shared.includes(column) || !column.isNotNull);
  if (!isComplete || key.length < settings.mergeKey.length) return;
  const hasSyncedAt = settings.metadataColumns.includes(SYNCED_AT) && hasColumn(destination, SYNCED_AT);
  await client.query(
    copyMarked(
      destinationName,
      stagingName,
      shared.map(({ name }) => name),
      { key, hasSyncedAt },
    ),
  );
}
