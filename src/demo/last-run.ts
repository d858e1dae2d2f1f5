/** Reads what the last run recorded in `_increp_runs` at the destination. */
import type pg from 'pg';
import { runsTable } from '../sql/state.ts';
import { qualified } from '../sql/identifiers.ts';
import { SHOP_SCHEMA } from './shop.ts';

export interface TableRun {
  readonly name: string;
  readonly action: string;
  readonly rowsRead: number;
  readonly rowsInserted: number;
  readonly rowsUpdated: number;
  readonly rowsUnchanged: number;
  readonly cursor: string;
}

const RUNS = qualified(runsTable(SHOP_SCHEMA));

const LAST_RUN = /* sql */ `
  SELECT table_name AS name, action, rows_read::int AS "rowsRead", rows_inserted::int AS "rowsInserted",
         rows_updated::int AS "rowsUpdated", rows_unchanged::int AS "rowsUnchanged", cursor_after AS cursor
  FROM ${RUNS} WHERE run_id = (SELECT run_id FROM ${RUNS} ORDER BY started_at DESC LIMIT 1)`;

export interface LastRun {
  /** Tables that were not loaded completely. */
  readonly incremental: readonly TableRun[];
  readonly loaded: readonly TableRun[];
  of(name: string): TableRun | undefined;
}

export async function lastRun(destination: pg.Client): Promise<LastRun> {
  const { rows } = await destination.query<TableRun>(LAST_RUN);
  return {
    incremental: rows.filter(({ action }) => action === 'incremental'),
    loaded: rows.filter(({ action }) => action !== 'incremental'),
    of: (name) => rows.find((row) => row.name === name),
  };
}

type Counter = 'rowsRead' | 'rowsInserted' | 'rowsUpdated' | 'rowsUnchanged';

export const sumOf = (rows: readonly TableRun[], counter: Counter): number =>
  rows.reduce((sum, row) => sum + row[counter], 0);
