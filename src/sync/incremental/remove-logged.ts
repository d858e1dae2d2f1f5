/** Removes the rows that the deletion log of the source names, in the snapshot of the window. */
import type pg from 'pg';
import * as z from 'zod';
import type { DeletionLog } from '../../config/settings.ts';
import { IncrepError, type ErrorCode } from '../../errors.ts';
import { codeOf } from '../../postgres/identity.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';
import { ask } from '../../postgres/user-search-path.ts';
import { printName, type TableName } from '../../schema/names.ts';
import type { Deletions } from '../../schema/state-record.ts';
import { tableCommand } from '../../shell-word.ts';
import { closeRows } from '../../sql/compare.ts';
import { declareLoggedKeys, fetchKeys, inspectLog, type DeletionLogRows } from '../../sql/deletion-log.ts';
import { limitStatements } from '../../sql/session.ts';
import { grantReading } from '../../sql/deletion-log-statements.ts';
import { countRows } from '../../sql/gone-rows.ts';
import type { RunContext } from '../context/run-context.ts';
import type { BothSides } from '../compare/sides.ts';
import { logRows } from '../compare/logged-keys.ts';
import { logTable } from '../facts/deletion-log.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { limitExceeded, removerFor } from './remove-deleted.ts';

export interface LoggedRemoval {
  /** Rows. */
  readonly deleted: number;
  /** False if rows may be gone that have no entry, so that only a comparison of keys finds them. */
  readonly isComplete: boolean;
  /** Of the table of the log. Null for a query. */
  readonly oid: string | null;
  /** Why some or all of the rows were not removed. */
  readonly refusal: IncrepError | undefined;
}

interface ReadableLog extends Pick<BothSides, 'facts' | 'source'> {
  readonly context: Pick<RunContext, 'source'>;
  readonly log: DeletionLog;
  readonly isPlanned?: boolean;
}

interface Logged extends BothSides {
  readonly log: DeletionLog;
  /** The position of the last sync in the log. Undefined if no sync has read it. */
  readonly position: Deletions | undefined;
  /** The time from which entries are read. */
  readonly from: string;
  /** How far below the position the reading starts. */
  readonly lookbackSeconds: number;
  /** --force: no limit. */
  readonly isForced: boolean;
}

const foundRow = z.object({
  hasEntries: z.boolean(),
  hasMarker: z.boolean(),
  oid: z.string().nullable(),
  type: z.string().nullable(),
});

/** @throws IncrepError if the log cannot be read as the settings describe it */
export async function removeLogged(logged: Logged): Promise<LoggedRemoval> {
  const { facts, relation, log } = logged;
  const rows = logRows(facts, relation, log, logged);
  const found = await inspected(logged, rows);
  const { oid } = found;
  const isComplete = logged.position?.oid === oid && !found.hasMarker;
  return isComplete && found.hasEntries
    ? { ...(await removeNamed(logged, rows)), isComplete, oid }
    : { deleted: 0, refusal: undefined, isComplete, oid };
}

/** @throws IncrepError if the log cannot be read as the settings describe it */
async function inspected(log: ReadableLog, rows: DeletionLogRows): Promise<z.infer<typeof foundRow>> {
  const found = await readable(log, async () =>
    foundRow.parse((await ask(log.source, inspectLog(rows))).rows[0]),
  );
  if (found.type !== null && found.type !== TIME_TYPE) throw wrongType(log, found.type);
  return found;
}

/** Why a sync could not read the log, for a plan. Reads no entries. */
export async function logFault({
  context,
  ...log
}: Omit<ReadableLog, 'source' | 'context'> &
  Pick<BothSides, 'relation'> & {
    readonly context: Pick<RunContext, 'source' | 'timing'>;
  }): Promise<IncrepError | undefined> {
  const rows = logRows(log.facts, log.relation, log.log, { from: 'infinity', lookbackSeconds: 0 });
  const limit = [limitStatements(context.timing.planCountTimeout)];
  try {
    return await context.source.withSnapshot(limit, (source) =>
      inspected({ ...log, context, source, isPlanned: true }, rows).then(
        () => undefined,
        (error: unknown) => {
          if (error instanceof IncrepError) return error;
          throw error;
        },
      ),
    );
  } catch (error) {
    // The sync itself reports any other error.
    if (!(error instanceof IncrepError) || error.code === 'INTERRUPTED') throw error;
    return undefined;
  }
}

const TIME_TYPE = 'timestamp with time zone';

async function removeNamed(
  logged: Logged,
  rows: DeletionLogRows,
): Promise<Pick<LoggedRemoval, 'deleted' | 'refusal'>> {
  const { facts, relation, source, destination, isForced } = logged;
  await destination.query('SAVEPOINT increp_logged');
  const remover = removerFor(facts, relation, destination);
  await readable(logged, () => ask(source, declareLoggedKeys(CURSOR, rows, facts.sourceRows)));
  for (;;) {
    const { rows: keys } = await ask<{ key: string }>(source, fetchKeys(CURSOR, facts.sourceRows, FETCHED));
    for (const { key } of keys) await remover.keys.add(key);
    if (keys.length < FETCHED) break;
  }
  await source.query(closeRows(CURSOR));
  const { stuck } = await remover.finish();
  const deleted = remover.removed();
  const of = isForced ? undefined : await limitedRows(facts, destination, deleted);
  if (of !== undefined && deleted > of * (facts.settings.deleteLimit ?? 1)) {
    await destination.query('ROLLBACK TO SAVEPOINT increp_logged');
    return { deleted: 0, refusal: limitExceeded(facts, { gone: deleted, of }) };
  }
  await destination.query('RELEASE SAVEPOINT increp_logged');
  return { deleted, refusal: stuck };
}

const CURSOR = 'increp_logged';
/** Keys. */
const FETCHED = 10_000;

const countRow = z.object({ rows: z.number() });

/** The rows of a table of this size are counted within a second. Of a larger table the estimate of the planner counts. */
const COUNTED_ROWS = 1_000_000;

/** The rows before the removal. They are counted only if `delete_limit` may be exceeded. */
async function limitedRows(
  { settings, destination, destinationName }: CopyFacts,
  client: pg.ClientBase,
  deleted: number,
): Promise<number | undefined> {
  const estimated = destination?.estimatedRows;
  const { deleteLimit = 1 } = settings;
  if (deleted === 0 || deleteLimit === 1) return undefined;
  if (estimated !== undefined && estimated > COUNTED_ROWS) return Math.round(estimated);
  // The savepoint does not hide the removal from this statement, so the removed rows are added.
  const { rows } = countRow.parse((await ask(client, countRows(destinationName, []))).rows[0]);
  return rows + (settings.deletes === 'soft' ? 0 : deleted);
}

/** Names the option in an error of the server. */
async function readable<T>(logged: ReadableLog, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const code = CODES[String(codeOf(error))];
    if (code === undefined) throw error;
    throw unusable(logged, code, error instanceof Error ? error.message : String(error));
  }
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  [SQLSTATE.undefinedTable]: 'TABLE_NOT_FOUND',
  [SQLSTATE.undefinedColumn]: 'COLUMN_NOT_FOUND',
  [SQLSTATE.undefinedFunction]: 'SQL_INVALID',
  [SQLSTATE.insufficientPrivilege]: 'PRIVILEGE_MISSING',
};

function unusable(logged: ReadableLog, code: ErrorCode, why: string): IncrepError {
  const { facts, log, isPlanned = false } = logged;
  const { name, source } = facts.settings;
  const table = logTable(log, source);
  return new IncrepError(code, {
    what: `"deletes_from" of "${name}"${table ? ` (${printName(table)})` : ''}: ${why}`,
    next: `${isPlanned ? '' : `Nothing of "${name}" was synced. `}${stepFor(logged, code, table)}`,
  });
}

function stepFor({ facts, context }: ReadableLog, code: ErrorCode, table: TableName | undefined): string {
  const { name, source } = facts.settings;
  const { role } = context.source.endpoint;
  if (code === 'PRIVILEGE_MISSING')
    return table
      ? `At the source, run: ${grantReading(table, role, { withSchema: table.schema !== source.schema })}`
      : `At the source, grant role "${role}" the missing privilege.`;
  return `To print the statements that create such a table, run "${tableCommand('deletes-sql', name)}". Or remove "deletes_from" in tables-config.json.`;
}

const wrongType = (logged: ReadableLog, type: string): IncrepError =>
  unusable(logged, 'SQL_INVALID', `the column "${logged.log.deletedAt}" is ${type} and must be timestamptz`);
