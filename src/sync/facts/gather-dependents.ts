/** What hangs on the copies, in one query for all of them. */
import { describeDependents, type Dependent } from '../../postgres/dependents.ts';
import type { TableFacts } from './facts.ts';
import type { RunContext } from '../context/run-context.ts';

/** By table; nothing for a copy that is not there. */
export async function gatherDependents(
  { destination }: Pick<RunContext, 'destination'>,
  tables: readonly TableFacts[],
): Promise<ReadonlyMap<TableFacts, readonly Dependent[]>> {
  const copies = tables.flatMap((table) =>
    table.destination?.kind === 'table' ? [{ table, oid: table.destination.oid }] : [],
  );
  const found = await describeDependents(
    destination,
    copies.map(({ oid }) => oid),
  );
  return new Map(copies.map(({ table, oid }) => [table, found.get(oid) ?? []]));
}
