/** The steps of a table, for a plan and for check. Pure. */
import type { PlannedObject } from '../../reasons.ts';
import type { CopiedTable } from './copied-table.ts';

export const plannedObjects = ({
  steps,
  leftOut,
}: Pick<CopiedTable, 'steps' | 'leftOut'>): PlannedObject[] => [
  ...steps.map((step): PlannedObject => {
    switch (step.kind) {
      case 'create-index':
        return { kind: 'index', name: step.wanted.name, change: step.replaces ? 'replace' : 'create' };
      case 'drop-index':
        return { kind: 'index', name: step.index.name, change: 'drop' };
    }
  }),
  ...leftOut.map((object): PlannedObject => ({ ...object, change: 'leave out' })),
];
