/** Findings about `deletes_from`: pure. */
import { IncrepError, type ErrorCode } from '../errors.ts';
import { printName } from '../schema/names.ts';
import { takesIndex } from '../schema/relations.ts';
import { ident, qualified } from '../sql/identifiers.ts';
import { grantReading } from '../sql/deletion-log-statements.ts';
import { createIndexOn } from '../sql/inspect.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { keysAtSource } from '../sync/facts/keys-at-source.ts';
import { tableCommand } from '../shell-word.ts';
import { failureFinding, note, warning, type Finding } from './finding.ts';
import type { DeletionLogInspection } from './inspect-deletion-logs.ts';

export function deletionLogFindings(table: TableFacts, found: DeletionLogInspection | undefined): Finding[] {
  if (!found) return [];
  const refusal = refusalOf(table, found);
  if (refusal) return [failureFinding(refusal, table.settings.name)];
  return [...indexFindings(table, found), ...triggerFindings(table, found)];
}

const sqlCommand = ({ settings }: TableFacts): string => `"${tableCommand('deletes-sql', settings.name)}"`;

function refusalOf(table: TableFacts, { name, log }: DeletionLogInspection): IncrepError | undefined {
  const { settings, sourceSchema } = table;
  const refuse = (code: ErrorCode, what: string, next: string) =>
    new IncrepError(code, { what: `"deletes_from" of "${settings.name}": ${what}`, next });
  const create = `To print the statements that create such a table, run ${sqlCommand(table)}.`;
  if (!log) return refuse('TABLE_NOT_FOUND', `the source has no table ${printName(name)}`, create);
  if (!log.canSelect)
    return refuse(
      'PRIVILEGE_MISSING',
      `role "${sourceSchema.role}" may not read ${printName(name)}`,
      `At the source, run: ${grantReading(name, sourceSchema.role, { withSchema: name.schema !== settings.source.schema })}`,
    );
  const deletedAt = settings.deletionLog?.deletedAt ?? '';
  const missing = [...keysAtSource(settings).mergeKey, deletedAt].find(
    (wanted) => !log.columns.some((column) => column.name === wanted),
  );
  if (missing !== undefined)
    return refuse('COLUMN_NOT_FOUND', `${printName(name)} has no column "${missing}"`, create);
  const time = log.columns.find((column) => column.name === deletedAt);
  return time && time.base.type.startsWith('timestamp') && time.base.type.endsWith('with time zone')
    ? undefined
    : refuse(
        'SQL_INVALID',
        `the column "${deletedAt}" of ${printName(name)} is ${time?.type ?? ''} and must be timestamptz`,
        create,
      );
}

function indexFindings({ settings }: TableFacts, { log }: DeletionLogInspection): Finding[] {
  const deletedAt = settings.deletionLog?.deletedAt ?? '';
  return !log || log.indexedColumns.includes(deletedAt) || !takesIndex(log)
    ? []
    : [
        warning(
          'DELETION_LOG_NOT_INDEXED',
          settings.name,
          `no index of ${printName(log.name)} begins with "${deletedAt}", so each sync reads all its rows`,
          `At the source, run: ${createIndexOn(log, deletedAt)}`,
        ),
      ];
}

function triggerFindings(table: TableFacts, { name, triggers }: DeletionLogInspection): Finding[] {
  const { settings } = table;
  const enabled = triggers.filter(({ enabled: state }) => state === 'O' || state === 'A');
  if (triggers.length === 0)
    return [
      note(
        'DELETION_LOG_FILLED',
        settings.name,
        `no trigger of ${printName(table.sourceName)} fills ${printName(name)}, so increp relies on the application to record every deleted row`,
        `To print triggers that do so, run ${sqlCommand(table)}.`,
      ),
    ];
  const events = [
    ...(enabled.some(({ onDelete }) => onDelete) ? [] : ['DELETE']),
    ...(enabled.some(({ onUpdate }) => onUpdate) ? [] : ['UPDATE of the key']),
    ...(enabled.some(({ onTruncate }) => onTruncate) ? [] : ['TRUNCATE']),
  ];
  if (events.length > 0)
    return [
      warning(
        'DELETION_LOG_FILLED',
        settings.name,
        `no enabled trigger of ${printName(table.sourceName)} records ${events.join(' and ')} in ${printName(name)}, so only the comparison every deletes_every finds these rows`,
        `At the source, run the script that this command prints; the log keeps its entries: ${sqlCommand(table)}.`,
      ),
    ];
  const often = enabled.filter(({ enabled: state }) => state !== 'A').map((each) => each.name);
  return often.length === 0
    ? []
    : [
        note(
          'DELETION_LOG_FILLED',
          settings.name,
          `in sessions with session_replication_role = replica, such as a subscription, ${often.map((each) => `"${each}"`).join(', ')} do not fire`,
          `At the source, run: ${often.map((each) => `ALTER TABLE ${qualified(table.sourceName)} ENABLE ALWAYS TRIGGER ${ident(each)}`).join('; ')}`,
        ),
      ];
}
