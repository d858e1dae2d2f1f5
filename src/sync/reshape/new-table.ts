/** The staging table becomes a whole table: columns that people have added, the merge key, indexes, checks. */
import type pg from 'pg';
import { derivedName, type TableName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { copyKey } from '../../schema/row-identity.ts';
import { indexOn, type DependentObjects, type BuiltIndex } from '../../sql/dependent-objects.ts';
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
import { mustSurvive, unsurvivable } from './unsurvivable.ts';

export interface NewTable {
  readonly client: pg.ClientBase;
  readonly facts: TableFacts;
  readonly source: Relation;
  /** Undefined where there was no table. */
  readonly belongings: DependentObjects | undefined;
  readonly extras: readonly ExtraColumn[];
  /** All columns that the new table has. */
  readonly columns: readonly string[];
  /** Whether the staging table has the index of the merge key already. */
  readonly hasMergeKey: boolean;
  /** On an empty staging table, to be rolled back: nothing looks at rows. */
  readonly isRehearsal: boolean;
}

export const describeNewTable = (
  client: pg.ClientBase,
  facts: TableFacts,
  source: Relation,
  belongings: DependentObjects | undefined,
  foreign: Relation['columns'],
): Omit<NewTable, 'isRehearsal'> => ({
  client,
  facts,
  source,
  belongings,
  hasMergeKey: false,
  extras: foreign.map((column) => ({ column, expression: belongings?.defaults[column.name] })),
  columns: [
    ...source.columns.map(({ name }) => name),
    ...foreign.map(({ name }) => name),
    ...metadataColumnsOf(facts).map(({ name }) => name),
  ],
});

/** Everything that takes time and stands in nobody's way. */
export async function completeStaging(work: NewTable): Promise<void> {
  await addExtras(work);
  const { client, facts, source, hasMergeKey } = work;
  const { stagingName } = facts;
  if (!hasMergeKey && hasKey(facts)) await client.query(stagingKey(facts, source));
  for (const [index, name] of keptIndexes(work))
    await must(work, `index ${index.name}`, indexStatement(index, stagingName, name));
  for (const { what, sql, stage, columns } of work.belongings?.items ?? []) {
    if (stage === 'staging' && columns.every((name) => work.columns.includes(name)))
      await must(work, what, `ALTER TABLE ${qualified(stagingName)} ${sql}`);
  }
}

const hasKey = ({ settings }: TableFacts): boolean => settings.mergeKey.length > 0;

/** The index of the merge key, under the name that it has until the table has its own. */
export function stagingKey({ stagingName, settings }: TableFacts, source: Relation): string {
  const key = copyKey(settings);
  const isNotNull = key.every(
    (name) => source.columns.find((column) => column.name === name)?.isNotNull === true,
  );
  return createMergeKey(stagingName, stagingIndex(stagingName), key, isNotNull);
}

const must = ({ client, facts }: NewTable, what: string, sql: Statement): Promise<void> =>
  mustSurvive(client, facts.destinationName, what, sql);

function indexStatement(index: BuiltIndex, table: TableName, name: string): string {
  const statement = indexOn(index, table, name);
  if (statement === undefined)
    throw new Error(`index ${index.name} has a definition of an unknown form: ${index.definition}`);
  return statement;
}

export const stagingIndex = ({ table }: TableName, suffix = '_pkey'): string => derivedName(table, suffix);

/** With the names they have until the old ones are gone. An index on a column that is gone goes with it. */
const keptIndexes = ({ belongings, columns, facts }: NewTable): [BuiltIndex, string][] =>
  (belongings?.indexes ?? [])
    .filter((index) => index.columns.every((name) => columns.includes(name)))
    .map((index, place) => [index, stagingIndex(facts.stagingName, `_idx${place}`)]);

/** Under the name of the table, once nothing else has the names. */
export async function renameIndexes(work: NewTable): Promise<void> {
  const { client, facts } = work;
  const { schema } = facts.destinationName;
  if (hasKey(facts)) {
    const wanted = await indexNameFor(client, facts.destinationName);
    await client.query(renameIndex(schema, stagingIndex(facts.stagingName), wanted));
  }
  for (const [index, name] of keptIndexes(work)) await client.query(renameIndex(schema, name, index.name));
}

const WRITTEN = 'what people have written into';

/** Columns that people have added, with what they have written into them. */
async function addExtras(work: NewTable): Promise<void> {
  const { client, facts, extras, source, isRehearsal } = work;
  const { destination, destinationName, stagingName, settings } = facts;
  if (extras.length === 0 || !destination) return;
  const names = extras.map(({ column }) => `"${column.name}"`).join(', ');
  await must(work, `column ${names}`, addExtraColumns(stagingName, extras));
  const written = extras.filter(({ column }) => column.generated === '').map(({ column }) => column.name);
  if (written.length > 0 && !hasKey(facts))
    throw unsurvivable(
      destinationName,
      `${WRITTEN} column ${names}: without unique_cols nothing tells where it belongs`,
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
  if (!isRehearsal && written.length > 0) {
    // Who reads may go on; who writes into these columns waits until the new table is there to write to.
    await client.query(lockAgainstWrites(destinationName));
    await must(work, `column ${names}`, carryExtraColumns(destinationName, stagingName, written, key));
  }
  const demanding = extras.filter(({ column }) => column.isNotNull && column.generated === '');
  if (demanding.length > 0) {
    const columns = demanding.map(({ column }) => column.name);
    await must(work, `column ${names}`, demandValues(stagingName, columns));
  }
}
