/** The first line of a service: where its pipelines are. */
import { dirname } from 'node:path';
import { findPipelines } from '../config/service/pipeline-directories.ts';
import { TABLES_FILE } from '../config/tables/schema-problems.ts';
import { formatCounted } from '../format.ts';
import type { ServiceLog } from './service-log.ts';

/** The default is the directory of the shell, which may be another one than a person thinks. */
export async function sayDirectory(root: string, log: ServiceLog): Promise<void> {
  const { pipelines, isPipeline } = await findPipelines(root);
  const found = formatCounted(pipelines.length, 'pipeline');
  log.info(`the directory of the pipelines is ${root}, with ${found}`);
  if (isPipeline)
    log.warn(
      `${root} has a ${TABLES_FILE}, which the service ignores: --pipelines names the directory that contains one directory for each pipeline; did you mean "--pipelines ${dirname(root)}"?`,
    );
}
