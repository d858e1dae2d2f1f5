/** Records conflicts before a merge decides about them, in its transaction (`conflict_log`). */
import type pg from 'pg';
import * as z from 'zod';
import { IncrepError } from '../../errors.ts';
import { codeOf } from '../../postgres/identity.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';
import { conflictCountsSchema, addConflicts, type ConflictCounts } from '../../conflicts.ts';
import { derivedName, printName } from '../../schema/names.ts';
import { ident, qualified } from '../../sql/identifiers.ts';
import { conflictStatements, type Merge } from '../../sql/merge.ts';
import { CONFLICTS_TABLE, conflictsTable } from '../../sql/state.ts';
import type { RunContext } from '../context/run-context.ts';
import type { TableFacts } from '../facts/facts.ts';

/** Undefined unless the settings ask for a log. */
export const conflictLogOf = (
  { settings, pipeline, destinationName, destinationSchema }: TableFacts,
  { runId }: Pick<RunContext, 'runId'>,
): Merge['conflictLog'] =>
  settings.conflictLog
    ? {
        pipeline,
        runId,
        destination: destinationName,
        retentionSeconds: settings.conflictRetentionSeconds,
        role: destinationSchema.role,
      }
    : undefined;

const loggedRow = z.object({ resolution: z.string(), rows: z.number() });

/** Undefined if conflicts are not recorded. @throws IncrepError PRIVILEGE_MISSING, CONFLICT_LOG */
export async function recordConflicts(
  client: pg.ClientBase,
  merge: Merge,
): Promise<ConflictCounts | undefined> {
  const statements = conflictStatements(merge);
  if (!statements) return undefined;
  for (const lock of statements.lock) await client.query(lock);
  let counts: ConflictCounts | undefined;
  try {
    for (const log of statements.log) {
      const rows = z.array(loggedRow).parse((await client.query(log)).rows);
      const found = Object.fromEntries(rows.map(({ resolution, rows: so }) => [resolution, so]));
      counts = addConflicts(counts, conflictCountsSchema.parse(found));
    }
    await client.query(statements.prune);
  } catch (error) {
    throw unusable(merge, error) ?? error;
  }
  return counts;
}

/** SQLSTATEs: values that do not fit, constraints, and missing privileges, tables, columns, keys and types. */
const OF_TABLE = /^(22|23|42501|42P01|42703|42P10|42804|428C9)/;

/** The table of the log was changed by others. Undefined if the error has another cause. */
function unusable({ destination: { schema }, conflictLog }: Merge, error: unknown): IncrepError | undefined {
  const sqlstate = codeOf(error);
  if (typeof sqlstate !== 'string' || !OF_TABLE.test(sqlstate)) return undefined;
  const log = conflictsTable(schema);
  const said = error instanceof Error ? error.message : '';
  const nothing = `Nothing of the table was changed, and the next sync brings the same rows.`;
  if (sqlstate === SQLSTATE.insufficientPrivilege)
    return new IncrepError('PRIVILEGE_MISSING', {
      what: `"conflict_log" cannot write ${printName(log)} at the destination: ${said}`,
      next: `${nothing} At the destination, run: GRANT SELECT, INSERT, DELETE ON ${qualified(log)} TO ${ident(conflictLog?.role ?? '')}. Or set "conflict_log" to false.`,
      sqlstate,
      cause: error,
    });
  const next =
    sqlstate === SQLSTATE.undefinedTable
      ? 'Run increp again, which creates it.'
      : `At the destination, run: ALTER TABLE ${qualified(log)} RENAME TO ${ident(derivedName(CONFLICTS_TABLE, '_old'))}. The next sync creates the table again.`;
  return new IncrepError('CONFLICT_LOG', {
    what: `"conflict_log" cannot write ${printName(log)} at the destination: ${said}`,
    next: `${nothing} ${next} Or set "conflict_log" to false.`,
    sqlstate,
    cause: error,
  });
}
