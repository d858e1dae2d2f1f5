/** What reading would cost, as the planner believes: asked of the server, and not carried out. */
import type { Column } from '../schema/columns.ts';
import type { TableName } from '../schema/names.ts';
import { selectWindow, type Window } from './window.ts';

/** The answer is one row with the one column "QUERY PLAN". */
export const explainWindow = (table: TableName, columns: readonly Column[], window: Window): string =>
  /* sql */ `EXPLAIN (FORMAT JSON) ${selectWindow(table, columns, window)}`;
