/** Tables whose last syncs failed alike at all destinations: one command fixes them. */
import { atAllDestinations } from '../shell-word.ts';
import type { RunRecord } from '../schema/run-record.ts';
import { readLastFailures } from '../status/last-failures.ts';
import type { Pipeline, PipelineContext } from './context.ts';
import { nameIn } from './record-names.ts';

export interface SharedFailures {
  /** By the name of the table in the history. */
  readonly readLast: (pipeline: Pipeline) => Promise<ReadonlyMap<string, RunRecord>>;
  /** The name of the table, as in tables-config.json. */
  readonly has: (table: string) => boolean;
  /** The failure with the step for all destinations, if the failure is the same at all of them. */
  readonly withStep: <Failure extends Pick<RunRecord, 'error_hint'>>(
    pipeline: Pick<Pipeline, 'name'>,
    table: string,
    failure: Failure,
  ) => Failure;
}

const stepOf = (hint: string | null, destination = ''): string => atAllDestinations(hint ?? '', destination);

export async function sharedFailures({
  pipelines,
  settings,
}: Pick<PipelineContext, 'pipelines' | 'settings'>): Promise<SharedFailures> {
  const read = new Map<string | undefined, ReadonlyMap<string, RunRecord>>();
  const found = new Map<string, string[]>();
  const isEverywhere = pipelines.length > 1 && pipelines.length === settings.destinations.length;
  for (const { name: destination, runContext, settings: own } of isEverywhere ? pipelines : []) {
    const nameOf = nameIn(own);
    const failures = await readLastFailures(runContext, new Date());
    read.set(destination, failures);
    for (const [record, { error_code, error_hint }] of failures) {
      const failure = JSON.stringify([error_code, stepOf(error_hint, destination)]);
      found.set(nameOf(record), [...(found.get(nameOf(record)) ?? []), failure]);
    }
  }
  const isShared = (failures: readonly string[]) =>
    failures.length === pipelines.length && new Set(failures).size === 1;
  const shared = new Set([...found].flatMap(([table, failures]) => (isShared(failures) ? [table] : [])));
  const withStep: SharedFailures['withStep'] = ({ name: destination }, table, failure) =>
    shared.has(table) && failure.error_hint !== null
      ? { ...failure, error_hint: stepOf(failure.error_hint, destination) }
      : failure;
  return {
    readLast: async (pipeline) => {
      const nameOf = nameIn(pipeline.settings);
      const failures = read.get(pipeline.name) ?? (await readLastFailures(pipeline.runContext, new Date()));
      return new Map([...failures].map(([record, run]) => [record, withStep(pipeline, nameOf(record), run)]));
    },
    withStep,
    has: (table) => shared.has(table),
  };
}
