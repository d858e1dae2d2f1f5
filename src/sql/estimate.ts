/** How much there would be to read. */
import type { Column } from '../schema/columns.ts';
import type { TableName } from '../schema/names.ts';
import { qualified } from './identifiers.ts';
import { selectWindow, windowCondition, type Window } from './window.ts';

/** As the planner believes, which nothing is read for. The answer is one row with the one column "QUERY PLAN". */
export const explainWindow = (table: TableName, columns: readonly Column[], window: Window): string =>
  /* sql */ `EXPLAIN (FORMAT JSON) ${selectWindow(table, columns, window)}`;

/** No more than `limit` rows are counted, so that it costs little where an index leads to them. */
export const countWindow = (table: TableName, window: Window, limit: number): string =>
  /* sql */ `SELECT count(*)::int AS rows FROM (SELECT FROM ${qualified(table)} WHERE ${windowCondition(window)} LIMIT ${limit}) w`;
