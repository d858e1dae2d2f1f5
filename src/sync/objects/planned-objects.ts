/** The steps of a table, for a plan and for check. Pure. */
import type { NamedObject, PlannedObject } from '../../reasons.ts';
import type { ObjectStep } from './compare-objects.ts';
import type { CopiedTable } from './copied-table.ts';

/** The object that a step is about. */
export function objectOf(step: ObjectStep): NamedObject {
  switch (step.kind) {
    case 'drop-index':
      return { kind: kindOfIndex(step.index.constraint?.type), name: step.index.name };
    case 'drop-constraint':
      return { kind: step.of, name: step.name };
    case 'drop-default':
      return { kind: 'default', name: step.column };
    default:
      return { kind: step.wanted.kind, name: step.wanted.name };
  }
}

export const kindOfIndex = (type: 'p' | 'u' | 'x' | undefined): NamedObject['kind'] =>
  type === 'p' ? 'primary key' : type === 'u' ? 'unique constraint' : 'index';

export const plannedObjects = ({
  steps,
  leftOut,
}: Pick<CopiedTable, 'steps' | 'leftOut'>): PlannedObject[] => [
  ...steps.map((step): PlannedObject => ({ ...objectOf(step), change: changeOf(step) })),
  ...leftOut.map((object): PlannedObject => ({ ...object, change: 'leave out' })),
];

export function changeOf(step: ObjectStep): 'create' | 'replace' | 'drop' | 'validate' {
  if (step.kind === 'validate') return 'validate';
  if (!('wanted' in step)) return 'drop';
  return step.replaces !== undefined && step.replaces !== false ? 'replace' : 'create';
}
