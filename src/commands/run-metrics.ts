import { metricsListener } from '../observe/metrics/listener.ts';
import type { TableMetrics } from '../observe/metrics/families.ts';
import type { TableSettings } from '../config/settings.ts';
import type { Listener } from '../events.ts';
import { completeAt } from '../schema/data-age.ts';
import { updateTally } from '../state/tally-file.ts';
import { recordInFile } from '../sync/record-in-file.ts';
import { exitCodeOf } from '../sync/run.ts';
import { version } from '../version.ts';
import type { Context } from './context.ts';

/** The listener behind METRICS_TEXTFILE. */
export function runMetrics(
  { settings, work }: Context,
  path: string,
  onFailure: (message: string) => void,
): Listener {
  const { pipeline, stateDirectory: directory } = settings;
  const metricsOf = async (table: TableSettings): Promise<TableMetrics> => {
    const record = await recordInFile(work, table).catch(() => undefined);
    return {
      name: table.name,
      maxStalenessSeconds: table.maxStalenessSeconds,
      completeAt: record && completeAt(record),
      syncedAt: record && new Date(record.syncedAt),
    };
  };
  return metricsListener({
    path,
    version: version(),
    configured: settings.tables.map(({ name }) => name),
    tables: () => Promise.all(settings.tables.filter(({ isEnabled }) => isEnabled).map(metricsOf)),
    exitCodeOf,
    keep: (change, use) => updateTally({ directory, pipeline, change, use }),
    onFailure,
  });
}
