import { metricsListener } from '../observe/metrics/listener.ts';
import type { TableMetrics } from '../observe/metrics/families.ts';
import type { TableSettings } from '../config/settings.ts';
import type { Listener } from '../events.ts';
import { completeAt } from '../schema/data-age.ts';
import { updateTally } from '../state/tally-file.ts';
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
  const metricsOf = async ({ name, maxStalenessSeconds }: TableSettings): Promise<TableMetrics> => {
    const file = await work.stateFiles.read(name).catch(() => undefined);
    const record = file?.kind === 'record' && file.record.pipeline === pipeline ? file.record : undefined;
    return {
      name,
      maxStalenessSeconds,
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
