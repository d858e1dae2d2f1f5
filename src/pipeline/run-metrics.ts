import { metricsListener } from '../observe/metrics/listener.ts';
import type { TableMetrics } from '../observe/metrics/families.ts';
import { recordNameOf } from '../config/tables/table-mapping.ts';
import type { Listener } from '../events.ts';
import { labelOf } from '../format.ts';
import { updateCounters } from '../state/counters-file.ts';
import { readComparisons } from '../state/known-differences-file.ts';
import { recordInFile } from '../status/state-file-record.ts';
import { standingIn } from '../sync/plan/reload-guard.ts';
import { exitCodeOf } from '../sync/run/run.ts';
import { version } from '../version.ts';
import type { Pipeline, PipelineContext } from './context.ts';

/** The listener that writes METRICS_TEXTFILE. */
export function runMetrics(
  { settings, pipelines }: PipelineContext,
  path: string,
  onFailure: (message: string) => void,
): Listener {
  const { pipeline, stateDirectory: directory, tables, destinations } = settings;
  const destinationNames = destinations.length === 0 ? [undefined] : destinations.map(({ name }) => name);
  const enabled = tables.filter(({ isEnabled }) => isEnabled);
  const metricsOf = async ({ name, settings: own, runContext }: Pipeline): Promise<TableMetrics[]> => {
    const { differences, requested } = await readComparisons(own.stateDirectory);
    return Promise.all(
      enabled.map(async (table) => ({
        ...ofTable(table.name, name),
        maxStalenessSeconds: table.maxStalenessSeconds,
        warnStalenessSeconds: table.warnStalenessSeconds,
        isDifferent: standingIn(table, differences.get(recordNameOf(own, table))) !== undefined,
        isRefreshPending: requested.has(recordNameOf(own, table)),
        record: await recordInFile(runContext, table).catch(() => undefined),
      })),
    );
  };
  return metricsListener({
    path,
    version: version(),
    configured: destinationNames.flatMap((destination) =>
      tables.map(({ name }) => labelOf(ofTable(name, destination))),
    ),
    tables: async () => (await Promise.all(pipelines.map(metricsOf))).flat(),
    exitCodeOf,
    keep: (change, use) => updateCounters({ directory, pipeline, change, use }),
    onFailure,
  });
}

const ofTable = (name: string, destination: string | undefined) => ({
  name,
  ...(destination !== undefined && { destination }),
});
