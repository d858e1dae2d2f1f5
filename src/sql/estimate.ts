/** How much there would be to read. */
import type { Column } from '../schema/columns.ts';
import { bareItem, onRows, type RowSource } from './row-source.ts';
import type { Statement } from './search-path.ts';
import { selectWindow, windowCondition, type Window } from './window.ts';

/** As the planner believes, which nothing is read for. The answer is one row with the one column "QUERY PLAN". */
export const explainWindow = (rows: RowSource, columns: readonly Column[], window: Window): Statement =>
  onRows(rows, /* sql */ `EXPLAIN (FORMAT JSON) ${selectWindow(rows, columns, window)}`);

/** No more than `limit` rows are counted, so that it costs little where an index leads to them. */
export const countWindow = (rows: RowSource, window: Window, limit: number): Statement =>
  onRows(
    rows,
    /* sql */ `SELECT pg_catalog.count(*)::int AS rows FROM (SELECT FROM ${bareItem(rows)} WHERE ${windowCondition(window)} LIMIT ${limit}) w`,
  );

/** The server plans and begins the query, with all that it looks at for that: rights, functions, the servers of foreign tables. */
export const readNothing = (rows: RowSource, columns: readonly Column[]): Statement =>
  onRows(rows, /* sql */ `${selectWindow(rows, columns, undefined)} LIMIT 0`);
