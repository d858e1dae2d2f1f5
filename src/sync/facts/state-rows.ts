/** Rows of `_increp_state`, which a table has one of, or one for each pipeline that shares it. */
import type pg from 'pg';
import { z } from 'zod';
import { tableKey, type TableName } from '../../schema/names.ts';
import { isShared } from '../../schema/row-identity.ts';
import { writtenAsSchema } from '../../schema/state-record.ts';
import { readStates } from '../../sql/state.ts';

export interface StateNames {
  readonly destinationName: TableName;
  readonly stateName: TableName;
}

const stateRow = z.object({
  schema: z.string(),
  name: z.string(),
  pipeline: z.string(),
  record: z.unknown(),
});
type StateRow = z.infer<typeof stateRow>;

export interface StateRows {
  /** As it came; undefined where there is none. */
  readonly record: unknown;
  /** The name that it was found under, where it is no longer its name. */
  readonly formerName: string | undefined;
  /** A pipeline with which this one cannot share the table as the two are set. */
  readonly rival: string | undefined;
  /** Whether another pipeline has a state of the table. */
  readonly isTaken: boolean;
}

export async function readStateRows(
  client: pg.ClientBase,
  pipeline: string,
  tables: readonly StateNames[],
): Promise<(names: StateNames) => StateRows> {
  if (tables.length === 0) return () => NO_ROWS;
  const statement = readStates(tables.map(({ destinationName }) => destinationName));
  const { rows } = await client.query(statement, [pipeline]);
  const byTable = new Map<string, StateRow[]>();
  for (const row of z.array(stateRow).parse(rows))
    for (const table of new Set([row.name, ownerless(row)])) {
      const key = tableKey({ schema: row.schema, table });
      byTable.set(key, [...(byTable.get(key) ?? []), row]);
    }
  return (names) => rowsFor(names, pipeline, byTable.get(tableKey(names.destinationName)) ?? []);
}

/** Whether its rows were told apart from those of other pipelines when it was synced last. */
export const wasShared = ({ record }: StateRows): boolean => {
  const written = z.object({ writtenAs: writtenAsSchema.nullable() }).safeParse(record).data?.writtenAs;
  return written !== undefined && written !== null && isShared(written);
};

const NO_ROWS: StateRows = { record: undefined, formerName: undefined, rival: undefined, isTaken: false };

/** The table of a name that a pipeline's is part of; another name as it is. */
const ownerless = ({ name, pipeline }: StateRow): string =>
  name.endsWith(`@${pipeline}`) ? name.slice(0, -pipeline.length - 1) : name;

function rowsFor(
  { destinationName: { table }, stateName }: StateNames,
  pipeline: string,
  rows: readonly StateRow[],
): StateRows {
  const isApart = stateName.table !== table;
  const own = rows.find(({ name }) => name === stateName.table);
  const former = rows.find((row) => row !== own && row.pipeline === pipeline);
  const rival = rows.find(
    (row) => row.pipeline !== pipeline && (isApart ? row.name === table : row.name !== table),
  );
  return {
    record: (own ?? former)?.record,
    formerName: own ? undefined : former?.name,
    rival: rival?.pipeline,
    isTaken: rows.some((row) => row.pipeline !== pipeline),
  };
}
