/**
 * Notes which tables `sync --full-refresh` has to load, so that `status` names those that it did not. A table is done when it
 * was loaded, also if the run is killed later.
 */
import type { TableOutcome } from '../events.ts';
import { noteLoaded, noteRequested, readComparisons } from '../state/known-differences-file.ts';
import type { TableSettings } from '../config/settings.ts';
import { loadSteps } from '../report/requested-loads.ts';
import type { PipelineContext } from './context.ts';
import { nameIn, recordNameIn } from './record-names.ts';

/** Milliseconds. Many small tables share a change of the file. The end of the run notes the last ones. */
const RECENT = 1000;

const LOADS: readonly string[] = ['initial', 'reset', 'full-refresh'] satisfies TableOutcome['action'][];

export const isLoaded = ({ status, action }: Pick<TableOutcome, 'status' | 'action'>): boolean =>
  status === 'ok' && LOADS.includes(action);

export async function noteRequestedLoads(
  { pipelines, runId }: Pick<PipelineContext, 'pipelines' | 'runId'>,
  tables: readonly TableSettings[],
): Promise<void> {
  const load = { since: new Date().toISOString(), run: runId };
  const enabled = tables.filter(({ isEnabled }) => isEnabled);
  for (const { settings, listen } of pipelines) {
    const recordNameOf = recordNameIn(settings);
    const directory = settings.stateDirectory;
    await noteRequested(
      directory,
      enabled.map(({ name }) => recordNameOf(name)),
      load,
    );
    let loaded: string[] = [];
    let timer: NodeJS.Timeout | undefined;
    const note = () => {
      void noteLoaded(directory, loaded);
      [loaded, timer] = [[], undefined];
    };
    listen((event) => {
      if (event.type === 'run-finished') clearTimeout(timer);
      if (event.type !== 'table-finished' || !isLoaded(event.outcome)) return;
      loaded.push(recordNameOf(event.outcome.name));
      timer ??= setTimeout(note, RECENT).unref();
    });
  }
}

/** The next steps for these tables of a destination. */
export type RequestedSteps = (own: readonly string[], destination: string | undefined) => string;

/**
 * A table that is left at one destination alone may be loaded at all of them, if most tables are left at each. So one command is
 * enough after an interruption.
 */
export async function requestedSteps(
  { pipelines, settings }: Pick<PipelineContext, 'pipelines' | 'settings'>,
  chosen: readonly TableSettings[],
): Promise<RequestedSteps> {
  const left = await Promise.all(
    pipelines.map(async ({ settings: own }) => {
      const { requested } = await readComparisons(own.stateDirectory);
      return new Set([...requested.keys()].map(nameIn(own)));
    }),
  );
  const all = chosen.flatMap(({ name }) => (left.some((names) => names.has(name)) ? [name] : []));
  const isEverywhere = pipelines.length >= settings.destinations.length;
  const areAlike = isEverywhere && left.every(({ size }) => size * 2 >= all.length);
  return (own, destination) => {
    if (areAlike && own.length > 1) return loadSteps(all);
    const areShared = isEverywhere && left.every((names) => own.every((name) => names.has(name)));
    return loadSteps(own, areShared ? undefined : destination);
  };
}
