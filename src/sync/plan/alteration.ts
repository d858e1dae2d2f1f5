/** The ALTER TABLE that gives a destination table the shape of its source, if there is one. Pure. */
import { carriedType } from '../../schema/columns.ts';
import { keepsDeleted } from '../../schema/deleted-rows.ts';
import { takesMerge, type Relation } from '../../schema/relations.ts';
import { DELETED_AT, ROW_VERSION } from '../../schema/metadata-columns.ts';
import type { Alteration } from '../../sql/reshape.ts';
import type { TableFacts } from '../facts/facts.ts';
import { formerColumns } from '../facts/saved-state.ts';
import { renamesOfKept, withRenames } from './renames-in-place.ts';

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
    dropped: namesOf(columnsToDrop(facts, source)),
    loosened: namesOf([
      ...source.columns.filter(({ name, isNotNull }) => !isNotNull && columnNamed(name)?.isNotNull === true),
      ...keptColumns(facts, source).filter(({ isNotNull }) => isNotNull),
    ]),
    tightened: namesOf(
      source.columns.filter(({ name, isNotNull }) => isNotNull && columnNamed(name)?.isNotNull !== true),
    ),
  };
}

/** Columns of the destination table that the source had earlier and no longer has. A load drops them. */
export function columnsToDrop(facts: TableFacts, source: Relation): Relation['columns'] {
  const { destination, settings } = facts;
  const unused = keepsDeleted(settings) ? [] : [DELETED_AT];
  return [
    ...(settings.droppedColumns === 'drop' ? leftColumns(facts, source) : []),
    ...(destination?.columns ?? []).filter(
      ({ name }) => unused.includes(name) && !source.columns.some((column) => column.name === name),
    ),
  ];
}

/** The same columns, if they stay with their values. New rows have no value for them. */
export const keptColumns = (facts: TableFacts, source: Relation): Relation['columns'] =>
  facts.settings.droppedColumns === 'keep' ? leftColumns(facts, source) : [];

function leftColumns(facts: TableFacts, source: Relation): Relation['columns'] {
  const { destination, saved } = withRenames(facts, renamesOfKept(facts, source));
  const recorded = formerColumns(saved);
  return (destination?.columns ?? []).filter(
    ({ name }) => recorded.includes(name) && !source.columns.some((column) => column.name === name),
  );
}

/**
 * Columns of the destination table that come neither from the source nor from increp: a user added them, or the source
 * no longer has them and they stay.
 */
export function foreignColumns(facts: TableFacts, source: Relation): Relation['columns'] {
  const { destination, saved, settings } = facts;
  const kept = keptColumns(facts, source).map((column) => ({ ...column, isNotNull: false }));
  const known = [
    ...source.columns.map(({ name }) => name),
    ...formerColumns(saved),
    DELETED_AT,
    ROW_VERSION,
    ...settings.metadataColumns,
  ];
  return [...kept, ...(destination?.columns ?? []).filter(({ name }) => !known.includes(name))];
}
