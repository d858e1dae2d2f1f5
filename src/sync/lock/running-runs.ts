/** The runs that hold tables now. */
import type pg from 'pg';
import * as z from 'zod';
import { tableKey, type TableName } from '../../schema/names.ts';
import { lockedAmong } from '../../sql/state.ts';
import { describeRun, runSession } from './table-lock.ts';

const runRow = runSession.extend({ schema: z.string(), table: z.string() });

/** What holds each of these destination tables, by table. Tables that nothing holds are left out. */
export async function runsAt(
  client: pg.ClientBase,
  tables: readonly TableName[],
): Promise<ReadonlyMap<string, string>> {
  if (tables.length === 0) return new Map();
  const { rows } = await client.query(lockedAmong(tables));
  return new Map(
    z
      .array(runRow)
      .parse(rows)
      .map((run) => [tableKey(run), describeRun(run).text]),
  );
}
