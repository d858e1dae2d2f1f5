/** Reads the dependent objects of all destination tables in one query. */
import { listDependents, type Dependent } from '../../postgres/dependent-object-list.ts';
import type { TableFacts } from './facts.ts';
import type { RunContext } from '../context/run-context.ts';

/** By table. A table without a destination table has no entry. */
export async function gatherDependents(
  { destination }: Pick<RunContext, 'destination'>,
  tables: readonly TableFacts[],
): Promise<ReadonlyMap<TableFacts, readonly Dependent[]>> {
  const existing = tables.flatMap((table) =>
    table.destination?.kind === 'table' ? [{ table, oid: table.destination.oid }] : [],
  );
  const found = await listDependents(
    destination,
    existing.map(({ oid }) => oid),
  );
  return new Map(existing.map(({ table, oid }) => [table, found.get(oid) ?? []]));
}
