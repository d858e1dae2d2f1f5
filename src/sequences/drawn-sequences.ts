/** Reads the sequences behind the columns of tables. */
import * as z from 'zod';
import type { Attempted } from '../errors.ts';
import { inBatches } from '../postgres/batches.ts';
import { askAll } from '../postgres/catalog-question.ts';
import type { Database } from '../postgres/database.ts';
import { tableKey, type TableName } from '../schema/names.ts';
import { describeDrawnSequences } from '../sql/sequences.ts';

const sequenceRow = z
  .object({
    schema: z.string(),
    table: z.string(),
    column: z.string(),
    identity: z.enum(['', 'a', 'd']),
    sequenceSchema: z.string(),
    sequence: z.string(),
    isOwned: z.boolean(),
    /** Null for an identity column. */
    expression: z.string().nullable(),
    type: z.string(),
    start: z.string(),
    increment: z.string(),
    min: z.string(),
    max: z.string(),
    cache: z.string(),
    isCycling: z.boolean(),
    /** Null if it was never used, or if the role may not read it. */
    last: z.string().nullable(),
    /** Whether the role may read its last value. */
    canRead: z.boolean(),
    role: z.string(),
    comment: z.string().nullable(),
  })
  .transform(({ schema, table, sequenceSchema, sequence, ...rest }) => ({
    ...rest,
    of: { schema, table },
    name: { schema: sequenceSchema, table: sequence },
  }));

export type DrawnSequence = Readonly<z.infer<typeof sequenceRow>>;

/** By `tableKey`: the sequences of each table, or why they could not be read. */
export async function readDrawnSequences(
  database: Database,
  tables: readonly TableName[],
): Promise<ReadonlyMap<string, Attempted<readonly DrawnSequence[]>>> {
  const found = await inBatches(tables, async (batch) => {
    const statement = describeDrawnSequences(batch);
    const [rows] = await database.withReading((client) =>
      askAll(client, [{ statement, read: (all) => z.array(sequenceRow).parse(all) }]),
    );
    const byTable = Map.groupBy(rows, ({ of }) => tableKey(of));
    return batch.map((table) => byTable.get(tableKey(table)) ?? []);
  });
  return new Map(
    tables.flatMap((table, place) => {
      const result = found[place];
      return result ? [[tableKey(table), result] as const] : [];
    }),
  );
}

/** The only form that increp can copy: the column gets the values of the sequence as they are. */
export const drawsPlainly = ({ expression }: DrawnSequence): boolean =>
  expression === null || /^nextval\('(?:[^']|'')*'::regclass\)$/.test(expression);
