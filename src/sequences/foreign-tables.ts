/** Finds destination tables that this pipeline may not change. */
import type { TableSettings } from '../config/settings.ts';
import { IncrepError, type ErrorCode } from '../errors.ts';
import { tableCommand } from '../shell-word.ts';
import type { Gathering } from '../sync/facts/facts.ts';
import type { SavedState } from '../sync/facts/saved-state.ts';
import { gatherGroups } from '../sync/facts/gather-groups.ts';
import { ensureDifferentDatabases } from '../sync/facts/same-database.ts';
import { ordinaryRequest } from '../sync/plan/plan.ts';
import { planTable } from '../sync/plan/plan-table.ts';

/** A sync that is refused for another reason says nothing about the owner of the table. */
const FOREIGN: readonly ErrorCode[] = ['DESTINATION_NOT_OURS', 'STATE_MISMATCH'];

/** After a reset, the rows are still those of this pipeline. */
const isUnknown = (saved: SavedState): boolean => saved.kind === 'none' && saved.isNamed !== true;

/** With swapped sides, the tables of the source are here, and its role may have few rights. */
const notSynced = ({ name }: TableSettings): IncrepError =>
  new IncrepError('NOT_SYNCED', {
    what: `this pipeline has not synced table "${name}", so its sequences stay as they are`,
    next: `Check that source and destination are not swapped: "${tableCommand('plan', name)}".`,
  });

/**
 * By the name of the table: why a sync would be refused because the destination table is not its own, or why that is unknown.
 * @throws IncrepError SAME_DATABASE
 */
export async function findForeignTables(
  context: Gathering,
  tables: readonly TableSettings[],
): Promise<ReadonlyMap<string, IncrepError>> {
  const found = new Map<string, IncrepError>();
  for await (const facts of gatherGroups(context, tables)) {
    ensureDifferentDatabases(context.settings, facts.servers);
    for (const { settings, error } of facts.failures) found.set(settings.name, error);
    for (const table of facts.tables) {
      const { settings, destination, saved } = table;
      const plan = planTable(table, ordinaryRequest());
      if (plan.kind === 'refuse' && FOREIGN.includes(plan.error.code)) found.set(settings.name, plan.error);
      else if (destination && isUnknown(saved)) found.set(settings.name, notSynced(settings));
    }
  }
  return found;
}
