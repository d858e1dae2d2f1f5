/** Estimates how much there is to read. */
import type { Column } from '../schema/columns.ts';
import { bareItem, onRows, type RowSource } from './row-source.ts';
import type { Statement } from './search-path.ts';
import { selectWindow, windowCondition, type Window } from './window.ts';

/** The estimate of the planner, without reading rows. The answer is one row with the column "QUERY PLAN". */
export const explainWindow = (rows: RowSource, columns: readonly Column[], window: Window): Statement =>
  onRows(rows, /* sql */ `EXPLAIN (FORMAT JSON) ${selectWindow(rows, columns, window)}`);

/** Counts at most `limit` rows, so it is cheap if there is an index. */
export const countWindow = (rows: RowSource, window: Window, limit: number): Statement =>
  onRows(
    rows,
    /* sql */ `SELECT pg_catalog.count(*)::int AS rows FROM (SELECT FROM ${bareItem(rows)} WHERE ${windowCondition(window)} LIMIT ${limit}) w`,
  );

/** The server plans and starts the query. This checks privileges, functions and the servers of foreign tables. */
export const readNothing = (rows: RowSource, columns: readonly Column[]): Statement =>
  onRows(rows, /* sql */ `${selectWindow(rows, columns, undefined)} LIMIT 0`);
