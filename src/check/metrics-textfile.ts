import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Settings } from '../config/settings.ts';
import type { Finding } from './finding.ts';

/** Whether METRICS_TEXTFILE could be written: nothing is. */
export async function metricsTextfileFindings({
  metricsTextfile: path,
}: Pick<Settings, 'metricsTextfile'>): Promise<Finding[]> {
  if (path === undefined) return [];
  const folder = dirname(path);
  const found = (what: string, action: string): Finding[] => [
    { level: 'warning', code: 'METRICS_TEXTFILE', table: undefined, message: `no metrics: ${what}`, action },
  ];
  if (!(await isDirectory(folder))) {
    return found(`${folder} is not a directory`, `Make it, or correct METRICS_TEXTFILE: mkdir -p ${folder}`);
  }
  if (await isDirectory(path)) {
    return found(`${path} is a directory`, 'Name a file in METRICS_TEXTFILE.');
  }
  const isWritable = await access(folder, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  return isWritable
    ? []
    : found(
        `this user may not make files in ${folder}`,
        'Give the user that runs increp the right to: see "Metrics for Prometheus" in docs/monitoring.md.',
      );
}

const isDirectory = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
