/** The tables of one run that foreign keys of the destination connect. */
import { addConflicts } from '../../conflicts.ts';
import type { TableOutcome } from '../../events.ts';
import type { Relation } from '../../schema/relations.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';

type KeySide = 'source' | 'destination';
type Related = { readonly [side in KeySide]?: Pick<Relation, 'oid' | 'references'> | undefined };

/** For each table, the other tables of the run that it refers to. */
export function parentsIn<T extends Related>(
  tables: readonly T[],
  sides: readonly KeySide[] = ['destination'],
): (table: T) => readonly T[] {
  const parentsAt = sides.map((side) => {
    const byOid = new Map(tables.map((table) => [table[side]?.oid, table]));
    return (table: T) => (table[side]?.references ?? []).flatMap((oid) => byOid.get(oid) ?? []);
  });
  return (table) => [...new Set(parentsAt.flatMap((parentsOf) => parentsOf(table)))];
}

/** Referenced tables come before the tables that refer to them. Otherwise the order stays. Pure. */
export function parentsFirst<T extends Related>(
  tables: readonly T[],
  parentsOf: (table: T) => readonly T[] = parentsIn(tables),
): readonly T[] {
  const ordered = new Set<T>();
  const visiting = new Set<T>();
  const visit = (table: T): void => {
    if (ordered.has(table) || visiting.has(table)) return;
    visiting.add(table);
    for (const parent of parentsOf(table)) visit(parent);
    ordered.add(table);
  };
  for (const table of tables) visit(table);
  return [...ordered];
}

/** The tables that a foreign key connects with another table of the run, and these tables. */
export function connections<T extends Related>(tables: readonly T[]): ReadonlyMap<T, ReadonlySet<T>> {
  const parentsOf = parentsIn(tables);
  const found = new Map<T, Set<T>>();
  const connect = (one: T, other: T) => void found.set(one, (found.get(one) ?? new Set()).add(other));
  for (const table of tables)
    for (const parent of parentsOf(table)) {
      connect(table, parent);
      connect(parent, table);
    }
  return found;
}

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
    conflicts: addConflicts(first.conflicts, again.conflicts),
    bytes: first.bytes + again.bytes,
    durationSeconds: first.durationSeconds + again.durationSeconds,
    cursorBefore: first.cursorBefore,
    startedAt: first.startedAt,
    warnings: [...new Set([...first.warnings, ...again.warnings])],
    ...(first.eventWarnings && { eventWarnings: first.eventWarnings }),
    ...(first.objects && { objects: [...first.objects, ...(again.objects ?? [])] }),
  };
}
