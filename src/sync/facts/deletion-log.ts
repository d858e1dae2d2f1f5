/** The deletion log of a table, as the settings describe it. Pure. */
import type { DeletionLog, TableSettings } from '../../config/settings.ts';
import type { TableName } from '../../schema/names.ts';
import type { Deletions } from '../../schema/state-record.ts';
import type { CopyFacts } from './facts.ts';

/** Undefined for a query. */
export const logTable = (log: DeletionLog, source: TableName): TableName | undefined =>
  'query' in log
    ? undefined
    : { schema: log.schema ?? source.schema, table: log.table.replaceAll('*', source.table) };

/** Identifies the log in the state. Another log may lack deletions that the former one had. */
export const logId = (log: DeletionLog, source: TableName): string =>
  JSON.stringify(
    'query' in log
      ? [log.query, log.deletedAt]
      : [log.schema ?? source.schema, logTable(log, source)?.table, log.deletedAt],
  );

/** The last sync's position in the log that the settings name now. */
export function logPosition(
  { saved }: Pick<CopyFacts, 'saved'>,
  { deletionLog, source }: Pick<TableSettings, 'deletionLog' | 'source'>,
): Deletions | undefined {
  const deletions = saved.kind === 'record' ? saved.record.deletions : null;
  return deletionLog && deletions?.log === logId(deletionLog, source) ? deletions : undefined;
}
