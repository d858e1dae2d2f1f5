/** The ALTER TABLE that gives a destination table the shape of its source, if there is one. Pure. */
import { carriedType } from '../../schema/columns.ts';
import { takesMerge, type Relation } from '../../schema/relations.ts';
import { DELETED_AT } from '../../schema/metadata-columns.ts';
import type { Alteration } from '../../sql/reshape.ts';
import type { TableFacts } from '../facts/facts.ts';
import { formerColumns } from '../facts/saved-state.ts';

/** Undefined if a column changes its type, or if the table lacks what a merge needs. */
export function alterationFor(facts: TableFacts, source: Relation): Alteration | undefined {
  const { destination, settings, natives, saved } = facts;
  const formerKey = saved.kind === 'record' ? saved.record.mergeKey : [];
  if (!destination || destination.isUnlogged || !takesMerge(destination, settings.mergeKey, formerKey))
    return undefined;
  const columnNamed = (wanted: string) => destination.columns.find(({ name }) => name === wanted);
  const isRetyped = source.columns.some((column) => {
    const current = columnNamed(column.name);
    return current !== undefined && current.type !== carriedType(column, natives);
  });
  if (isRetyped) return undefined;
  const namesOf = (columns: Relation['columns']) => columns.map(({ name }) => name);
  return {
    added: source.columns.filter(({ name }) => !columnNamed(name)),
    dropped: namesOf(deferred(facts, source)),
    loosened: namesOf(
      source.columns.filter(({ name, isNotNull }) => !isNotNull && columnNamed(name)?.isNotNull === true),
    ),
    // Rows that are marked as deleted have no value for a column that was added later.
    tightened:
      settings.deletes === 'soft'
        ? []
        : namesOf(
            source.columns.filter(
              ({ name, isNotNull }) => isNotNull && columnNamed(name)?.isNotNull !== true,
            ),
          ),
  };
}

/** Columns of the destination table that the source had earlier and no longer has. */
export function deferred(
  { destination, saved, settings }: TableFacts,
  source: Relation,
): Relation['columns'] {
  const recorded = formerColumns(saved);
  const unused = settings.deletes === 'soft' ? [] : [DELETED_AT];
  return (destination?.columns ?? []).filter(
    ({ name }) =>
      [...recorded, ...unused].includes(name) && !source.columns.some((column) => column.name === name),
  );
}

/** Columns that a user added to the destination table. They come neither from the source nor from increp. */
export function foreignColumns(
  { destination, saved, settings }: TableFacts,
  source: Relation,
): Relation['columns'] {
  const known = [
    ...source.columns.map(({ name }) => name),
    ...formerColumns(saved),
    DELETED_AT,
    ...settings.metadataColumns,
  ];
  return (destination?.columns ?? []).filter(({ name }) => !known.includes(name));
}
