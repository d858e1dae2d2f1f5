/** Differences of a destination table from its source and from the settings. Pure. */
import type { Difference } from '../../reasons.ts';
import { destinationDrift, sourceDrift } from '../../schema/drift.ts';
import { printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { selectionDrift, without } from '../../schema/selection-drift.ts';
import { shapeOf } from '../../schema/shape.ts';
import { PLAINLY, type StateRecord } from '../../schema/state-record.ts';
import type { TableFacts } from '../facts/facts.ts';
import { renamedAtDestination } from './altered-destination.ts';

/** Every difference between the destination table and what source and settings ask for. */
export function driftOf(facts: TableFacts, source: Relation, destination: Relation): Difference[] {
  const { settings, saved, natives, sourceChanges } = facts;
  const renamed = renamedAtDestination(facts, source);
  const fromDestination = destinationDrift(source.columns, destination.columns, natives).map((each) => {
    const to = each.code === 'column-missing' && renamed.find(({ from }) => from === each.column)?.to;
    return to ? { ...each, renamedTo: to } : each;
  });
  if (saved.kind !== 'record') return fromDestination;
  const { record } = saved;
  const selected = selectionDrift(record.selection, settings.selection, record.shape, shapeOf(source));
  const fromSource = selected.isOther
    ? []
    : sourceDrift(without(record.shape, selected.columns), without(shapeOf(source), selected.columns));
  return [
    // Mode full-refresh loads the table at each sync, and so applies changed settings anyway.
    ...(settings.mode === 'full-refresh' ? [] : settingsDrift(record, settings)),
    ...selected.differences,
    ...fromSource.map((each) => withNewName(each, sourceChanges)),
    ...(fromSource.length + selected.differences.length === 0
      ? withRetyping(fromDestination, record.types, settings.types)
      : []),
  ];
}

/** Columns have another type at the destination because of the setting: nobody altered the table. */
function withRetyping(
  differences: readonly Difference[],
  from: StateRecord['types'],
  to: TableFacts['settings']['types'],
): readonly Difference[] {
  const others = differences.filter(({ code }) => code !== 'column-type-mismatch');
  return from === null || from === to || others.length === differences.length
    ? differences
    : [{ code: 'setting-changed', setting: 'types', from: [from], to: [to] }, ...others];
}

const withNewName = (difference: Difference, changes: TableFacts['sourceChanges']): Difference =>
  difference.code === 'source-recreated' && changes?.movedTo
    ? { ...difference, movedTo: printName(changes.movedTo) }
    : difference;

export function settingsDrift(
  record: StateRecord,
  { mode, replicationKey, mergeKey }: TableFacts['settings'],
): Difference[] {
  const { mode: formerMode } = record.writtenAs ?? PLAINLY;
  const changed = (setting: DriftSetting, from: readonly string[], to: readonly string[]): Difference[] =>
    from.join(', ') === to.join(', ') ? [] : [{ code: 'setting-changed', setting, from, to }];
  return [
    ...changed('replication_key', [record.replicationKey ?? ''], [replicationKey ?? '']),
    ...changed('mode', [formerMode], [mode]),
    ...changed('unique_cols', record.mergeKey, mergeKey),
  ];
}

type DriftSetting = Extract<Difference, { readonly code: 'setting-changed' }>['setting'];
