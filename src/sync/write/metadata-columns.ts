/** Columns of ours: where the rows will live, and in the rows that `deletes: "soft"` has marked, which no load may lose. */
import type pg from 'pg';
import { carriedType, type Column } from '../../schema/columns.ts';
import { DELETED_AT, SOURCE, SYNCED_AT } from '../../schema/metadata-columns.ts';
import type { Relation } from '../../schema/relations.ts';
import { addOwnColumn, copyMarked, fillOwnColumn } from '../../sql/destination.ts';
import { ownColumns, type OwnColumn } from '../../sql/metadata-columns.ts';
import type { CopyFacts } from '../facts/facts.ts';

export const metadataColumnsOf = ({ settings, pipeline }: Pick<CopyFacts, 'settings' | 'pipeline'>) =>
  ownColumns(settings, pipeline);

const hasColumn = (relation: Relation | undefined, wanted: string): boolean =>
  relation?.columns.some(({ name }) => name === wanted) === true;

const hasMark = (relation: Relation | undefined): boolean => hasColumn(relation, DELETED_AT);

/** Those that the destination table lacks. */
export const missingMetadataColumns = (facts: CopyFacts): readonly OwnColumn[] =>
  metadataColumnsOf(facts).filter(({ name }) => !hasColumn(facts.destination, name));

/** What rows hold that were there before the column. What nobody kept apart until now is this pipeline's. */
export const filledForNow = ({ isIdentity, inserted }: OwnColumn): string | undefined =>
  isIdentity ? inserted : undefined;

/** In a table that was made before they were asked for, and that is locked against readers or has them already. */
export async function ensureMetadataColumns(client: pg.ClientBase, facts: CopyFacts): Promise<void> {
  const { destinationName } = facts;
  const missing = missingMetadataColumns(facts);
  for (const column of metadataColumnsOf(facts)) {
    const filled = filledForNow(column);
    if (missing.includes(column)) await client.query(addOwnColumn(destinationName, column, filled));
    else if (filled !== undefined && !wasKeptApart(facts))
      await client.query(fillOwnColumn(destinationName, column, filled));
  }
}

const wasKeptApart = ({ saved }: CopyFacts): boolean =>
  saved.kind === 'record' && saved.record.writtenAs?.metadataColumns.includes(SOURCE) === true;

/** The mark's column in a staging table that will become the table. */
export async function prepareMarks(client: pg.ClientBase, facts: CopyFacts): Promise<void> {
  for (const column of metadataColumnsOf(facts))
    if (column.isMark) await client.query(addOwnColumn(facts.stagingName, column));
}

/** The others, once all rows are there, so that none is written again for them. */
export async function completeMetadataColumns(client: pg.ClientBase, facts: CopyFacts): Promise<void> {
  for (const column of metadataColumnsOf(facts).filter(({ isMark }) => !isMark))
    await client.query(addOwnColumn(facts.stagingName, column, column.inserted));
}

/**
 * Takes rows that are gone from the source over into the new table, as far as its shape has room for them: the
 * columns that both have. Where the new shape demands more than the old rows have, they stay behind.
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
