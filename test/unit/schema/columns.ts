/** Columns for tests of pure rules, with only what matters said. */
import type { Column } from '../../../src/schema/columns.ts';

interface Told extends Partial<Omit<Column, 'base'>> {
  /** The type behind domains; `type` unless told. */
  readonly base?: string;
  readonly isBuiltIn?: boolean;
  /** Makes it an array of that. */
  readonly element?: Partial<NonNullable<Column['base']['element']>>;
}

export function column({ base, isBuiltIn = true, element, ...told }: Told = {}): Column {
  const type = told.type ?? 'text';
  return {
    name: 'c',
    position: 1,
    typeDetail: null,
    isNotNull: false,
    collation: null,
    generated: '',
    identity: '',
    ...told,
    type,
    base: {
      type: base ?? type,
      isBuiltIn,
      isArray: element !== undefined,
      element: element ? { type: 'text', isBuiltIn: true, isArray: false, delimiter: ',', ...element } : null,
    },
  };
}
