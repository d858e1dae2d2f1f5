/** `increp deletes-sql`: prints the statements with which the owner of a source table records deleted rows. */
import type { TableSettings } from '../config/settings.ts';
import { USUAL_TIME_COLUMN } from '../config/tables/tables-schema.ts';
import { IncrepError } from '../errors.ts';
import { describeSchema, describeTables } from '../postgres/catalog.ts';
import type { Database } from '../postgres/database.ts';
import { printName, tableKey } from '../schema/names.ts';
import { pruneDeletions, recordDeletions, type RecordedTable } from '../sql/deletion-log-statements.ts';
import { logTable } from '../sync/facts/deletion-log.ts';
import { keysAtSource } from '../sync/facts/keys-at-source.ts';
import { withContext } from './pipeline/context.ts';
import { expandTables } from '../pipeline/expand-tables.ts';
import { selectTables } from '../pipeline/select-tables.ts';
import { sayRemarks } from './pipeline/warn-unreachable.ts';
import type { GlobalOptions } from './terminal/options.ts';

export async function deletesSqlCommand(tables: readonly string[], options: GlobalOptions): Promise<number> {
  if (tables.length === 0)
    throw new IncrepError('USAGE', {
      what: 'deletes-sql needs the names of tables',
      next: 'Name the tables whose deleted rows the source is to record.',
    });
  return withContext(options, async (configured) => {
    const { context, remarks, noTables } = await expandTables(configured, { source: 'must' });
    if (noTables) throw noTables;
    const chosen = selectTables(context.settings.tables, { names: tables, excluded: [] });
    for (const table of chosen)
      context.terminal.out(scriptFor(table, await recordedTable(context.runContext.source, table)));
    sayRemarks(remarks, context);
    return 0;
  });
}

/** If the settings name no log, or a query. */
const USUAL_LOG = { table: '*_deleted', schema: undefined, deletedAt: USUAL_TIME_COLUMN };

async function recordedTable(source: Database, settings: TableSettings): Promise<RecordedTable> {
  const { name, source: table, deletionLog } = settings;
  const { mergeKey } = keysAtSource(settings);
  if (settings.selection.query !== null || mergeKey.length === 0)
    throw new IncrepError('USAGE', {
      what: `"${name}" ${mergeKey.length === 0 ? 'has no unique_cols' : 'is a query'}, so its deleted rows cannot be recorded by key`,
      next: 'Name a table with unique_cols.',
    });
  return source.withReading(async (client) => {
    const found = (await describeTables(client, [table])).get(tableKey(table));
    if (!found)
      throw new IncrepError('TABLE_NOT_FOUND', {
        what: `the source has no table ${printName(table)}`,
        next: 'Correct "name" in tables-config.json.',
      });
    const { role } = await describeSchema(client, table.schema);
    const log = deletionLog && !('query' in deletionLog) ? deletionLog : USUAL_LOG;
    return {
      table,
      key: mergeKey.map((column) => {
        const described = found.columns.find((each) => each.name === column);
        return { name: column, type: described?.type ?? 'text' };
      }),
      log: logTable(log, table) ?? table,
      deletedAt: log.deletedAt,
      reader: role,
    };
  });
}

const scriptFor = ({ name }: TableSettings, recorded: RecordedTable): string => `\
-- Records deleted rows of ${name}. The owner of the table runs this once at the source. Then add to its entry in
-- tables-config.json: "deletes": "hard", "deletes_from": ${JSON.stringify(recorded.log.table)}
${recordDeletions(recorded)}
-- Run this once a day, for example with pg_cron:
${pruneDeletions(recorded)}`;
