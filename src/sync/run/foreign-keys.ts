/** The tables of one run that foreign keys of the destination connect. */
import type { TableOutcome } from '../../events.ts';
import type { TableFacts } from '../facts/facts.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

/** Referenced tables come before the tables that refer to them. Otherwise the order stays. Pure. */
export function parentsFirst(tables: readonly TableFacts[]): readonly TableFacts[] {
  const ordered = new Set<TableFacts>();
  const visiting = new Set<TableFacts>();
  const visit = (table: TableFacts): void => {
    if (ordered.has(table) || visiting.has(table)) return;
    visiting.add(table);
    for (const parent of tables) if (refersTo(table, parent)) visit(parent);
    ordered.add(table);
  };
  for (const table of tables) visit(table);
  return [...ordered];
}

const refersTo = ({ destination: child }: TableFacts, { destination: parent }: TableFacts): boolean =>
  child !== undefined && parent !== undefined && child.references.includes(parent.oid);

/** The tables of `some`, and the tables that a foreign key connects with one of them. */
export const connectedTo = (
  some: readonly TableFacts[],
  tables: readonly TableFacts[],
): readonly TableFacts[] =>
  tables.filter((table) =>
    some.some((other) => table === other || refersTo(table, other) || refersTo(other, table)),
  );

/** A foreign key refused the rows. The sync may succeed after the sync of the other tables. */
export const waitsForOthers = (outcome: TableOutcome | undefined): boolean =>
  outcome?.error?.sqlstate === SQLSTATE.foreignKeyViolation;

/** Adds up two syncs of one table within a run. */
export function combined(first: TableOutcome, again: TableOutcome): TableOutcome {
  const { action, reasons, loader } = first.rowsRead > 0 ? first : again;
  return {
    ...again,
    action,
    reasons,
    loader,
    rowsRead: first.rowsRead + again.rowsRead,
    rowsInserted: first.rowsInserted + again.rowsInserted,
    rowsUpdated: first.rowsUpdated + again.rowsUpdated,
    rowsUnchanged: first.rowsUnchanged + again.rowsUnchanged,
    rowsDeleted: first.rowsDeleted + again.rowsDeleted,
    rowsNewer: first.rowsNewer + again.rowsNewer,
    bytes: first.bytes + again.bytes,
    durationSeconds: first.durationSeconds + again.durationSeconds,
    cursorBefore: first.cursorBefore,
    startedAt: first.startedAt,
    warnings: [...new Set([...first.warnings, ...again.warnings])],
  };
}
