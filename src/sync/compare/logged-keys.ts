/** The entries of a deletion log that a sync has to read. Pure. */
import type { DeletionLog } from '../../config/settings.ts';
import type { Relation } from '../../schema/relations.ts';
import { sourceColumn } from '../../schema/selection.ts';
import type { DeletionLogRows } from '../../sql/deletion-log.ts';
import { queriedRows } from '../../sql/row-source.ts';
import { logTable } from '../facts/deletion-log.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { keyColumns } from './sides.ts';

/** @param lookbackSeconds how far below its position the log is read */
export function logRows(
  facts: CopyFacts,
  relation: Relation,
  log: DeletionLog,
  { from, lookbackSeconds }: { readonly from: string; readonly lookbackSeconds: number },
): DeletionLogRows {
  const { settings } = facts;
  const table = logTable(log, settings.source);
  return {
    log: 'query' in log ? queriedRows(log.query, 'deletes_from') : (table ?? settings.source),
    table,
    deletedAt: log.deletedAt,
    key: keyColumns(facts, relation, 'source').map(({ name, type, isNullable, isComparedAsText }) => ({
      name: sourceColumn(settings.selection, name),
      rowName: name,
      type,
      isNullable,
      isComparedAsText,
    })),
    from,
    lookbackSeconds,
  };
}
