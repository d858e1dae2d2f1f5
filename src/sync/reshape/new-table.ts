/** Completes the staging table before it becomes the destination table: columns that users added, the unique key, indexes, checks. */
import type pg from 'pg';
import { derivedName, type TableName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { copyKey } from '../../schema/row-identity.ts';
import {
  indexOn,
  type DependentDefinitions,
  type BuiltIndex,
} from '../../sql/dependent-object-definitions.ts';
import { createMergeKey, renameIndex } from '../../sql/destination.ts';
import { qualified } from '../../sql/identifiers.ts';
import {
  addExtraColumns,
  carryExtraColumns,
  demandValues,
  lockAgainstWrites,
  type ExtraColumn,
} from '../../sql/reshape.ts';
import type { Statement } from '../../sql/search-path.ts';
import { carriedType } from '../../schema/columns.ts';
import type { TableFacts } from '../facts/facts.ts';
import { indexNameFor } from '../write/index-names.ts';
import { metadataColumnsOf } from '../write/metadata-columns.ts';
import { hasAnyRow } from '../write/staging.ts';
import { mustSurvive, SAVE_COLUMNS, unsurvivable } from './must-survive.ts';

export interface NewTable {
  readonly client: pg.ClientBase;
  readonly facts: TableFacts;
  readonly source: Relation;
  /** Undefined if there was no table. */
  readonly dependents: DependentDefinitions | undefined;
  readonly extras: readonly ExtraColumn[];
  /** All columns of the new table. */
  readonly columns: readonly string[];
  /** Whether the staging table already has the index of the unique key. */
  readonly hasMergeKey: boolean;
  /** The staging table is empty, and the work will be rolled back. */
  readonly isRehearsal: boolean;
}

export const describeNewTable = (
  client: pg.ClientBase,
  facts: TableFacts,
  source: Relation,
  dependents: DependentDefinitions | undefined,
  foreign: Relation['columns'],
): Omit<NewTable, 'isRehearsal'> => ({
  client,
  facts,
  source,
  dependents,
  hasMergeKey: false,
  extras: foreign.map((column) => ({ column, expression: dependents?.defaults[column.name] })),
  columns: [
    ...source.columns.map(({ name }) => name),
    ...foreign.map(({ name }) => name),
    ...metadataColumnsOf(facts).map(({ name }) => name),
  ],
});

/** Does the slow work, which needs no lock that readers wait for. */
export async function completeStaging(work: NewTable): Promise<void> {
  await addExtras(work);
  const { client, facts, source, hasMergeKey } = work;
  const { stagingName } = facts;
  if (!hasMergeKey && hasKey(facts)) await client.query(stagingKey(facts, source));
  for (const [index, name] of keptIndexes(work))
    await must(work, `index ${index.name}`, indexStatement(index, stagingName, name));
  for (const { what, sql, stage, columns } of work.dependents?.items ?? []) {
    if (stage === 'staging' && columns.every((name) => work.columns.includes(name)))
      await must(work, what, `ALTER TABLE ${qualified(stagingName)} ${sql}`);
  }
}

const hasKey = ({ settings }: TableFacts): boolean => settings.mergeKey.length > 0;

/** The index of the unique key, under a temporary name. */
export function stagingKey({ stagingName, settings }: TableFacts, source: Relation): string {
  const key = copyKey(settings);
  const isNotNull = key.every(
    (name) => source.columns.find((column) => column.name === name)?.isNotNull === true,
  );
  return createMergeKey(stagingName, stagingIndex(stagingName), key, isNotNull);
}

const must = ({ client, facts }: NewTable, what: string, sql: Statement, next?: string): Promise<void> =>
  mustSurvive(client, facts.destinationName, what, sql, next);

function indexStatement(index: BuiltIndex, table: TableName, name: string): string {
  const statement = indexOn(index, table, name);
  if (statement === undefined)
    throw new Error(`index ${index.name} has a definition of an unknown form: ${index.definition}`);
  return statement;
}

export const stagingIndex = ({ table }: TableName, suffix = '_pkey'): string => derivedName(table, suffix);

/** The indexes of the old table with their temporary names. Indexes on columns that the new table lacks are left out. */
const keptIndexes = ({ dependents, columns, facts }: NewTable): [BuiltIndex, string][] =>
  (dependents?.indexes ?? [])
    .filter((index) => index.columns.every((name) => columns.includes(name)))
    .map((index, place) => [index, stagingIndex(facts.stagingName, `_idx${place}`)]);

/** Gives the indexes their final names, after the old indexes are dropped. */
export async function renameIndexes(work: NewTable): Promise<void> {
  const { client, facts } = work;
  const { schema } = facts.destinationName;
  if (hasKey(facts)) {
    const wanted = await indexNameFor(client, facts.destinationName);
    await client.query(renameIndex(schema, stagingIndex(facts.stagingName), wanted));
  }
  for (const [index, name] of keptIndexes(work)) await client.query(renameIndex(schema, name, index.name));
}

/** Adds the columns that users added to the old table, with their values. */
async function addExtras(work: NewTable): Promise<void> {
  const { client, facts, extras, source, isRehearsal } = work;
  const { destination, destinationName, stagingName, settings } = facts;
  if (extras.length === 0 || !destination) return;
  const names = extras.map(({ column }) => `"${column.name}"`).join(', ');
  await must(work, `column ${names}`, addExtraColumns(stagingName, extras), SAVE_COLUMNS);
  const written = extras.filter(({ column }) => column.generated === '').map(({ column }) => column.name);
  if (written.length > 0 && !hasKey(facts))
    throw unsurvivable(
      destinationName,
      `the values in column ${names}: without unique_cols, increp cannot find the rows that they belong to`,
      SAVE_COLUMNS,
    );
  const lostKey = settings.mergeKey.find(
    (name) => !destination.columns.some((column) => column.name === name),
  );
  // --replace of a table without the key: all its rows may go.
  const isGivenUp = lostKey !== undefined && facts.unclaimed !== undefined;
  const hasValues =
    written.length > 0 && !isGivenUp && (lostKey === undefined || (await hasAnyRow(client, destinationName)));
  if (hasValues && lostKey !== undefined)
    throw unsurvivable(
      destinationName,
      `the values in column ${names}: the table has no column "${lostKey}", so increp cannot find the rows that they belong to`,
      SAVE_COLUMNS,
    );
  const key = settings.mergeKey.map((name) => {
    const [now, old] = [source, destination].map(({ columns }) =>
      columns.find((column) => column.name === name),
    );
    return {
      name,
      isNotNull: now?.isNotNull === true && old?.isNotNull === true,
      hasSameType: now !== undefined && carriedType(now, facts.natives) === old?.type,
    };
  });
  if (!isRehearsal && hasValues) {
    // Readers continue. Sessions that write to these columns wait for the new table, so that no value is lost.
    await client.query(lockAgainstWrites(destinationName));
    await must(
      work,
      `column ${names}`,
      carryExtraColumns(destinationName, stagingName, written, key),
      SAVE_COLUMNS,
    );
  }
  const demanding = extras.filter(({ column }) => column.isNotNull && column.generated === '');
  if (demanding.length > 0) {
    const columns = demanding.map(({ column }) => column.name);
    await must(work, `column ${names}`, demandValues(stagingName, columns), SAVE_COLUMNS);
  }
}
