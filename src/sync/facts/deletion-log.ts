/** The deletion log of a table, as the settings describe it. Pure. */
import * as z from 'zod';
import type { DeletionLog, TableSettings } from '../../config/settings.ts';
import { printName, type TableName } from '../../schema/names.ts';
import type { Deletions } from '../../schema/state-record.ts';
import { dropLog } from '../../sql/deletion-log-statements.ts';
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

const logOfTable = z.tuple([z.string(), z.string(), z.string()]);

/** Once, until the next sync that writes: nothing reads the log any more, but the source may still fill it. */
export function formerLogNote({ saved, settings }: Pick<CopyFacts, 'saved' | 'settings'>): string[] {
  if (settings.deletionLog || saved.kind !== 'record' || !saved.record.deletions) return [];
  const log = logOfTable.safeParse(JSON.parse(saved.record.deletions.log)).data;
  if (!log) return [];
  const [schema, table] = log;
  return [
    `increp no longer reads ${printName({ schema, table })}, because "deletes_from" was removed, but the source may still fill it. If nothing else uses it, run at the source: ${dropLog({ schema, table }).join('; ')}`,
  ];
}

/** The last sync's position in the log that the settings name now. */
export function logPosition(
  { saved }: Pick<CopyFacts, 'saved'>,
  { deletionLog, source }: Pick<TableSettings, 'deletionLog' | 'source'>,
): Deletions | undefined {
  const deletions = saved.kind === 'record' ? saved.record.deletions : null;
  return deletionLog && deletions?.log === logId(deletionLog, source) ? deletions : undefined;
}
