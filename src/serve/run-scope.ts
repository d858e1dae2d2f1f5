/** Which tables a run is about. A name that finds no table to sync fails the run, as it fails `increp sync`. Pure. */
import type { Settings, TableSettings } from '../config/settings.ts';
import type { ScheduledEntry } from '../config/service/schedules.ts';
import { asIncrepError, IncrepError } from '../errors.ts';
import { matching, selectTables } from '../pipeline/select-tables.ts';
import type { RunScope } from './claim.ts';
import type { PausedTable } from './paused-tables.ts';
import { namesOf, scheduleFor } from './records.ts';

interface ScopePlace {
  readonly pipeline: string;
  readonly settings: Pick<Settings, 'tables' | 'patterns'>;
  readonly schedules: readonly ScheduledEntry[];
  /** Tables that no worker may sync now. */
  readonly paused: readonly PausedTable[];
  /** Why the source could not list its tables. */
  readonly problem: IncrepError | undefined;
}

interface ChosenTables {
  readonly chosen: ReadonlySet<TableSettings>;
  /** Then no table of the run is synced. */
  readonly refusal?: IncrepError;
}

export function chooseTables(run: RunScope, place: ScopePlace): ChosenTables {
  try {
    return { chosen: new Set(run.entry === null ? requested(run, place) : scheduled(run.entry, place)) };
  } catch (error) {
    // Without an answer of the source, a name may be that of a table.
    return { chosen: new Set(), refusal: place.problem ?? asIncrepError(error) };
  }
}

/** A request without tables is about all. @throws IncrepError USAGE */
function requested(
  { tables: names }: RunScope,
  { pipeline, settings: { tables }, paused }: ScopePlace,
): readonly TableSettings[] {
  if (names === null) return tables;
  const chosen = selectTables(tables, { names, excluded: [], place: `pipeline "${pipeline}"` });
  for (const name of names) {
    const meant = matching(tables, name);
    if (meant.every(({ isEnabled }) => !isEnabled)) throw disabledTable(pipeline, name);
    if (meant.every((table) => paused.some((each) => each.table === table.name)))
      throw new IncrepError('USAGE', pausedTable(pipeline, name));
  }
  return chosen;
}

/** @throws IncrepError USAGE */
function scheduled(
  entry: string,
  { pipeline, settings: { tables, patterns }, schedules }: ScopePlace,
): readonly TableSettings[] {
  const chosen = tables.filter((table) => (scheduleFor(table, schedules)?.entry ?? '') === entry);
  const isPattern = patterns.some(({ name, schema }) => [name, `${schema}.${name}`].includes(entry));
  if (entry === '' || isPattern || tables.some((table) => namesOf(table).includes(entry))) return chosen;
  throw new IncrepError('USAGE', {
    what: `no entry "${entry}" in the configuration of pipeline "${pipeline}"`,
    next: `Remove its schedule: DELETE /api/v1/pipelines/${pipeline}/schedules/${encodeURIComponent(entry)}.`,
  });
}

export const pausedTable = (pipeline: string, table: string) => ({
  what: `table "${table}" of pipeline "${pipeline}" is paused`,
  next: `End the pause first: DELETE /api/v1/pipelines/${pipeline}/tables/${encodeURIComponent(table)}/pause.`,
});

const disabledTable = (pipeline: string, table: string): IncrepError =>
  new IncrepError('USAGE', {
    what: `table "${table}" of pipeline "${pipeline}" is disabled`,
    next: 'Remove "enabled": false from the configuration of the pipeline.',
  });

/** The configuration has changed since the look that found work in the table. */
export const goneTable = (pipeline: string, table: string): IncrepError =>
  new IncrepError('USAGE', {
    what: `table "${table}" of pipeline "${pipeline}" was disabled, or removed from the configuration, before its sync`,
    next: 'If all workers have the same configuration, there is nothing to do.',
  });
