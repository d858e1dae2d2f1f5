/** A change of shape that ALTER TABLE can do to the table as it stands: pure. */
import { carriedType } from '../../schema/columns.ts';
import { takesMerge, type Relation } from '../../schema/relations.ts';
import { DELETED_AT } from '../../schema/metadata-columns.ts';
import type { Alteration } from '../../sql/reshape.ts';
import type { TableFacts } from '../facts/facts.ts';

/** Undefined where a column changes its type, or the table lacks what a merge needs. */
export function alterationFor(facts: TableFacts, source: Relation): Alteration | undefined {
  const { destination, settings, natives, saved } = facts;
  const formerKey = saved.kind === 'record' ? saved.record.mergeKey : [];
  if (!destination || destination.isUnlogged || !takesMerge(destination, settings.mergeKey, formerKey))
    return undefined;
  const copyOf = (wanted: string) => destination.columns.find(({ name }) => name === wanted);
  const isRetyped = source.columns.some((column) => {
    const copy = copyOf(column.name);
    return copy !== undefined && copy.type !== carriedType(column, natives);
  });
  if (isRetyped) return undefined;
  const namesOf = (columns: Relation['columns']) => columns.map(({ name }) => name);
  return {
    added: source.columns.filter(({ name }) => !copyOf(name)),
    dropped: namesOf(deferred(facts, source)),
    loosened: namesOf(
      source.columns.filter(({ name, isNotNull }) => !isNotNull && copyOf(name)?.isNotNull === true),
    ),
    // Rows that are marked as deleted have no value for a column that came later.
    tightened:
      settings.deletes === 'soft'
        ? []
        : namesOf(
            source.columns.filter(({ name, isNotNull }) => isNotNull && copyOf(name)?.isNotNull !== true),
          ),
  };
}

/** Columns of the copy that the source once had. */
export function deferred(
  { destination, saved, settings }: TableFacts,
  source: Relation,
): Relation['columns'] {
  const once = saved.kind === 'record' ? saved.record.shape.columns.map(({ name }) => name) : [];
  const ours = settings.deletes === 'soft' ? [] : [DELETED_AT];
  return (destination?.columns ?? []).filter(
    ({ name }) => [...once, ...ours].includes(name) && !source.columns.some((column) => column.name === name),
  );
}

/** Columns that people have added: neither in the source now nor when the copy was made, nor those of ours. */
export function foreignColumns(
  { destination, saved, settings }: TableFacts,
  source: Relation,
): Relation['columns'] {
  const known = [
    ...source.columns.map(({ name }) => name),
    ...(saved.kind === 'record' ? saved.record.shape.columns.map(({ name }) => name) : []),
    DELETED_AT,
    ...settings.metadataColumns,
  ];
  return (destination?.columns ?? []).filter(({ name }) => !known.includes(name));
}
