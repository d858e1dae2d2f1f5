import { metricsListener } from '../observe/metrics/listener.ts';
import type { TableMetrics } from '../observe/metrics/families.ts';
import type { TableSettings } from '../config/settings.ts';
import type { Listener } from '../events.ts';
import { labelOf } from '../format.ts';
import { updateCounters } from '../state/counters-file.ts';
import { recordInFile } from '../status/state-file-record.ts';
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
  const metricsOf = async ({ name, runContext }: Pipeline, table: TableSettings): Promise<TableMetrics> => {
    const record = await recordInFile(runContext, table).catch(() => undefined);
    return {
      ...ofTable(table.name, name),
      maxStalenessSeconds: table.maxStalenessSeconds,
      warnStalenessSeconds: table.warnStalenessSeconds,
      record,
    };
  };
  const enabled = tables.filter(({ isEnabled }) => isEnabled);
  return metricsListener({
    path,
    version: version(),
    configured: destinationNames.flatMap((destination) =>
      tables.map(({ name }) => labelOf(ofTable(name, destination))),
    ),
    tables: () => Promise.all(pipelines.flatMap((each) => enabled.map((table) => metricsOf(each, table)))),
    exitCodeOf,
    keep: (change, use) => updateCounters({ directory, pipeline, change, use }),
    onFailure,
  });
}

const ofTable = (name: string, destination: string | undefined) => ({
  name,
  ...(destination !== undefined && { destination }),
});
