/** Rows of `_increp_state`. A table has one row, or one row for each pipeline that shares it. */
import * as z from 'zod';
import type { CatalogQuestion } from '../../postgres/catalog-question.ts';
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
  /** Not parsed yet. Undefined if there is none. */
  readonly record: unknown;
  /** The name under which it was found, if that is a former name. */
  readonly formerName: string | undefined;
  /** Another pipeline that cannot share the table with this one, because of their settings. */
  readonly rival: string | undefined;
  /** Whether another pipeline has a state of the table. */
  readonly isTaken: boolean;
  /** Whether this pipeline has a state of any table there. */
  readonly isHome: boolean;
  /** The same for the schema of the table. */
  readonly isHomeSchema: boolean;
}

export const stateQuestion = (
  pipeline: string,
  tables: readonly StateNames[],
): CatalogQuestion<(names: StateNames) => StateRows> => ({
  statement:
    tables.length === 0
      ? undefined
      : readStates(
          pipeline,
          tables.map(({ destinationName }) => destinationName),
        ),
  read: (rows) => {
    const byTable = new Map<string, StateRow[]>();
    const parsed = z.array(stateRow).parse(rows);
    for (const row of parsed)
      for (const table of new Set([row.name, ownerless(row)])) {
        const key = tableKey({ schema: row.schema, table });
        byTable.set(key, [...(byTable.get(key) ?? []), row]);
      }
    const homes = new Set(parsed.filter((row) => row.pipeline === pipeline).map(({ schema }) => schema));
    return (names) => ({
      ...rowsFor(names, pipeline, byTable.get(tableKey(names.destinationName)) ?? []),
      isHome: homes.size > 0,
      isHomeSchema: homes.has(names.destinationName.schema),
    });
  },
});

const writtenRecord = z.object({ writtenAs: writtenAsSchema.nullable() });

/** Whether the rows had a column with the name of the pipeline at the last sync. */
export const wasShared = ({ record }: StateRows): boolean => {
  const written = writtenRecord.safeParse(record).data?.writtenAs;
  return written !== undefined && written !== null && isShared(written);
};

/** The table name without the pipeline, if the name contains one. */
const ownerless = ({ name, pipeline }: StateRow): string =>
  name.endsWith(`@${pipeline}`) ? name.slice(0, -pipeline.length - 1) : name;

function rowsFor(
  { destinationName: { table }, stateName }: StateNames,
  pipeline: string,
  rows: readonly StateRow[],
): Omit<StateRows, 'isHome' | 'isHomeSchema'> {
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
