/** Finds tables whose sequences stay as they are: destination tables of others, and tables that cannot be read. */
import type { TableSettings } from '../config/settings.ts';
import { IncrepError, type ErrorCode } from '../errors.ts';
import { codesText } from '../report/error.ts';
import { failureBefore, failureWord, type RunRecord } from '../schema/run-record.ts';
import { tableCommand } from '../shell-word.ts';
import type { Gathering } from '../sync/facts/facts.ts';
import type { SavedState } from '../sync/facts/saved-state.ts';
import { gatherGroups } from '../sync/facts/gather-groups.ts';
import { tableNames } from '../sync/facts/table-names.ts';
import { ensureDifferentDatabases } from '../sync/facts/same-database.ts';
import { withHolders } from '../sync/lock/lock-holders.ts';
import { ordinaryRequest } from '../sync/plan/plan.ts';
import { planTable } from '../sync/plan/plan-table.ts';

/** A sync that is refused for another reason says nothing about the owner of the table. */
const FOREIGN: readonly ErrorCode[] = ['DESTINATION_NOT_OURS', 'STATE_MISMATCH'];

/** After a reset, the rows are still those of this pipeline. */
const isUnknown = (saved: SavedState): boolean => saved.kind === 'none' && saved.isNamed !== true;

/** With swapped sides, the tables of the source are here, and its role may have few rights. A failed sync explains more. */
function notSynced({ name }: TableSettings, last: RunRecord | undefined): IncrepError {
  const what = `this pipeline has not synced table "${name}", so its sequences stay as they are`;
  if (!last || failureWord(last) !== 'failed')
    return new IncrepError('NOT_SYNCED', {
      what,
      next: `Check that source and destination are not swapped: "${tableCommand('plan', name)}".`,
    });
  const { code, sqlstate, message, hint } = failureBefore(last);
  return new IncrepError('NOT_SYNCED', {
    what: `${what}. Its last sync failed: ${message} (${codesText(code, sqlstate)})`,
    next: hint,
  });
}

/** By the name of the destination table in the history. */
export type LastFailures = ReadonlyMap<string, RunRecord>;

/** By the name of the table. */
export interface TablesToLeave {
  /** Why a sync would be refused because the destination table is not its own. */
  readonly foreign: ReadonlyMap<string, IncrepError>;
  /** The foreign tables that are at the source, and that no sync has copied. */
  readonly unsynced: ReadonlySet<string>;
  /** Why that is not known, for example because another session locks the table. */
  readonly unknown: ReadonlyMap<string, IncrepError>;
}

/** @throws IncrepError SAME_DATABASE */
export async function findTablesToLeave(
  context: Gathering,
  tables: readonly TableSettings[],
  lastFailures: LastFailures,
): Promise<TablesToLeave> {
  const foreign = new Map<string, IncrepError>();
  const unsynced = new Set<string>();
  const unknown = new Map<string, IncrepError>();
  for await (const facts of gatherGroups(context, tables)) {
    ensureDifferentDatabases(context.settings, facts.servers);
    for (const { settings, error } of facts.failures)
      unknown.set(settings.name, await withHolders(context, tableNames(context, settings), error));
    for (const table of facts.tables) {
      const { settings, source, destination, saved, recordName } = table;
      const plan = planTable(table, ordinaryRequest());
      if (plan.kind === 'refuse' && FOREIGN.includes(plan.error.code)) foreign.set(settings.name, plan.error);
      else if (destination && isUnknown(saved)) {
        foreign.set(settings.name, notSynced(settings, lastFailures.get(recordName)));
        if (source) unsynced.add(settings.name);
      }
    }
  }
  return { foreign, unsynced, unknown };
}
