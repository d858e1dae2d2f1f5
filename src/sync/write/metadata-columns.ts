/** The metadata columns of destination tables. */
import type pg from 'pg';
import { tracksVersions } from '../../schema/merged-columns.ts';
import { isRowVersion, SOURCE } from '../../schema/metadata-columns.ts';
import type { Relation } from '../../schema/relations.ts';
import { addMetadataColumn, fillMetadataColumn } from '../../sql/destination.ts';
import {
  formerMark,
  formerVersion,
  metadataColumnDefinitions,
  type MetadataColumnDefinition,
} from '../../sql/metadata-columns.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { holdsFormerMarks } from '../facts/marks.ts';

export function metadataColumnsOf({
  settings,
  pipeline,
  destination,
}: Pick<CopyFacts, 'settings' | 'pipeline' | 'destination'>): readonly MetadataColumnDefinition[] {
  const isTracked = tracksVersions(settings);
  const definitions = metadataColumnDefinitions({ ...settings, tracksVersions: isTracked }, pipeline);
  return !isTracked && destination?.columns.some(isRowVersion) === true
    ? [...definitions, formerVersion]
    : definitions;
}

const hasColumn = (relation: Relation | undefined, wanted: string): boolean =>
  relation?.columns.some(({ name }) => name === wanted) === true;

/** The columns that a write sets. A row at the source is not deleted, so its mark goes, whatever `deletes` is now. */
export const writtenColumnsOf = (facts: CopyFacts): readonly MetadataColumnDefinition[] =>
  holdsFormerMarks(facts) ? [formerMark, ...metadataColumnsOf(facts)] : metadataColumnsOf(facts);

/** The metadata columns that the destination table lacks. */
export const missingMetadataColumns = (facts: CopyFacts): readonly MetadataColumnDefinition[] =>
  metadataColumnsOf(facts).filter(({ name }) => !hasColumn(facts.destination, name));

/** The value for existing rows. All existing rows belong to this pipeline, because no other pipeline marked its rows before. */
export const filledForNow = ({
  isIdentity,
  inserted,
  existing,
}: MetadataColumnDefinition): string | undefined => (isIdentity ? inserted : existing);

/** For a table that was created before the columns were configured. It must be locked against readers or have the columns already. */
export async function ensureMetadataColumns(client: pg.ClientBase, facts: CopyFacts): Promise<void> {
  const { destinationName } = facts;
  for (const column of metadataColumnsOf(facts)) {
    const filled = filledForNow(column);
    if (!hasColumn(facts.destination, column.name))
      await client.query(addMetadataColumn(destinationName, column, filled));
    else if (column.isIdentity && filled !== undefined && !wasKeptApart(facts))
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
    await client.query(addMetadataColumn(facts.stagingName, column, column.existing ?? column.inserted));
}
