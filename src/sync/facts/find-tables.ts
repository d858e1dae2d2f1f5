/** Which tables the patterns of the configuration stand for: asked of the source, or remembered from earlier syncs. */
import { z } from 'zod';
import { destinationOf } from '../../config/tables/table-mapping.ts';
import type { Settings } from '../../config/settings.ts';
import { IncrepError } from '../../errors.ts';
import { describeSchemas, describeTables, findRelations } from '../../postgres/catalog.ts';
import type { Database } from '../../postgres/database.ts';
import { distinctTables, tableKey, type TableName } from '../../schema/names.ts';
import { likeOf } from '../../schema/patterns.ts';
import { isReadableTable } from '../../schema/relations.ts';
import { sourcesOfPipeline, stateTable } from '../../sql/state.ts';
import type { RunContext } from '../context/run-context.ts';

/** Ordinary and partitioned tables. In one query. */
export const findTables = (
  source: Database,
  { patterns }: Pick<Settings, 'patterns'>,
): Promise<TableName[]> =>
  source.withReading((client) =>
    findRelations(
      client,
      patterns.map(({ schema, names }) => ({ schema, like: likeOf(names) })),
    ),
  );

/**
 * Those that have a state: from the files, and from the destination unless `isLocal` or while it is away.
 * Never asks the source.
 */
export async function rememberedTables(context: RunContext, isLocal: boolean): Promise<TableName[]> {
  const { pipeline } = context.settings;
  const records = await context.stateFiles.records();
  const inFiles = records.filter((record) => record.pipeline === pipeline).map(({ source }) => source);
  const found = [...inFiles, ...(isLocal ? [] : await inDestination(context))];
  return distinctTables(found);
}

const sourceRow = z.object({ schema: z.string(), table: z.string() });

async function inDestination({ settings, destination, signal }: RunContext): Promise<TableName[]> {
  const copies = settings.patterns.map(({ schema, options: { destinationSchema } }) =>
    destinationOf(settings.destination, { source: { schema }, destinationSchema, destinationName: '' }),
  );
  const schemas = [...new Set(copies.map(({ schema }) => schema))];
  try {
    return await destination.withReading(async (client) => {
      const accessOf = await describeSchemas(client, schemas);
      const there = await describeTables(client, schemas.map(stateTable));
      const readable = schemas.filter(
        (schema) => accessOf(schema).canUse && isReadableTable(there.get(tableKey(stateTable(schema)))),
      );
      if (readable.length === 0) return [];
      const { rows } = await client.query(sourcesOfPipeline(readable), [settings.pipeline]);
      return z.array(sourceRow).parse(rows);
    });
  } catch (error) {
    signal?.throwIfAborted();
    // Whoever needs the destination for more than this will say why it could not be asked.
    if (error instanceof IncrepError) return [];
    throw error;
  }
}
