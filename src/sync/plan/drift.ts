/** What makes a copy something else than a copy: at the source, at the destination, in the settings. Pure. */
import { destinationDrift, sourceDrift } from '../../schema/drift.ts';
import type { Relation } from '../../schema/relations.ts';
import { selectionDrift, without } from '../../schema/selection-drift.ts';
import { shapeOf } from '../../schema/shape.ts';
import { PLAINLY, type StateRecord } from '../../schema/state-record.ts';
import type { TableFacts } from '../facts/facts.ts';

/** Every difference that makes the copy something else than a copy, one sentence each. */
export function driftOf(
  { settings, saved, natives }: TableFacts,
  source: Relation,
  destination: Relation,
): string[] {
  const fromDestination = destinationDrift(source.columns, destination.columns, natives);
  if (saved.kind !== 'record') return fromDestination;
  const { record } = saved;
  const selected = selectionDrift(record.selection, settings.selection, record.shape, shapeOf(source));
  const fromSource = selected.isOther
    ? []
    : sourceDrift(without(record.shape, selected.columns), without(shapeOf(source), selected.columns));
  return [
    // A table that is loaded each time follows its settings by itself.
    ...(settings.mode === 'full-refresh' ? [] : settingsDrift(record, settings)),
    ...selected.sentences,
    ...fromSource,
    ...(fromSource.length + selected.sentences.length === 0 ? fromDestination : []),
  ];
}

export function settingsDrift(
  record: StateRecord,
  { mode, replicationKey, mergeKey }: TableFacts['settings'],
): string[] {
  const { mode: formerMode } = record.writtenAs ?? PLAINLY;
  const [was, is] = [record.mergeKey.join(', '), mergeKey.join(', ')];
  return [
    ...(record.replicationKey === replicationKey
      ? []
      : [`replication_key changed from "${record.replicationKey}" to "${replicationKey}"`]),
    ...(formerMode === mode
      ? []
      : [`mode changed from "${formerMode}" to "${mode}": the rows that are there are kept as versions`]),
    ...(was === is ? [] : [`unique_cols changed from [${was}] to [${is}]`]),
  ];
}
