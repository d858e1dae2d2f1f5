import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { hasCode } from '../system-fault.ts';
import type { Finding } from './finding.ts';

/** Checks whether METRICS_TEXTFILE can be written. It writes nothing. */
export async function metricsTextfileFindings({
  metricsTextfile: path,
}: Pick<Settings, 'metricsTextfile'>): Promise<Finding[]> {
  if (path === undefined) return [];
  const folder = dirname(path);
  const found = (what: string, action: string): Finding[] => [
    {
      level: 'warning',
      code: 'METRICS_TEXTFILE',
      table: undefined,
      message: `the metrics file cannot be written: ${what}`,
      action,
    },
  ];
  const isHidden = await isOutOfReach(folder);
  if (!isHidden && !(await isDirectory(folder))) {
    return found(
      `${folder} is not a directory`,
      `Create it with "mkdir -p ${folder}", or correct METRICS_TEXTFILE.`,
    );
  }
  if (!isHidden && (await isDirectory(path))) {
    return found(`${path} is a directory`, 'Set METRICS_TEXTFILE to the path of a file.');
  }
  const isWritable = await access(folder, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  return isWritable
    ? []
    : found(
        `this user may not create files in ${folder}`,
        'Allow the user that runs increp to create files there: see "Metrics for Prometheus" ("increp help monitoring").',
      );
}

/** Whether another user owns a directory above it. */
const isOutOfReach = (path: string): Promise<boolean> =>
  stat(path).then(
    () => false,
    (error: unknown) => hasCode(error, 'EACCES'),
  );

const isDirectory = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
