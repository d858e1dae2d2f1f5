/** The pipelines of the service: each directory below --pipelines with a tables-config.json. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { IncrepError } from '../../errors.ts';
import { fileFault } from '../../system-fault.ts';
import { TABLES_FILE } from '../tables/schema-problems.ts';

export interface PipelineDirectory {
  /** The name of the directory. It is the name of the pipeline in the service. */
  readonly name: string;
  readonly directory: string;
  /** Changes if the files of the pipeline change. */
  readonly fingerprint: string;
}

/** Part of the names of queues and variables. */
const NAME = /^[a-z0-9][a-z0-9_.-]{0,62}$/i;

export interface FoundPipelines {
  readonly pipelines: readonly PipelineDirectory[];
  /** Directories of pipelines whose names cannot be used. */
  readonly refused: readonly string[];
  /** Whether the directory itself has the files of a pipeline. */
  readonly isPipeline: boolean;
}

/** @throws IncrepError CONFIG_INVALID */
export async function findPipelines(root: string): Promise<FoundPipelines> {
  const entries = await readdir(root).catch((error: unknown) => {
    throw new IncrepError('CONFIG_INVALID', {
      what: `the directory of the pipelines, ${root}, cannot be read: ${fileFault(error)}`,
      next: 'Name the directory that contains one directory for each pipeline: --pipelines DIR.',
    });
  });
  const found = await Promise.all(
    entries
      .filter((name) => !name.startsWith('.'))
      .toSorted()
      .map(async (name) => {
        const directory = join(root, name);
        const tables = await changedAt(join(directory, TABLES_FILE));
        if (tables === undefined) return [];
        const fingerprint = `${tables}/${(await changedAt(join(directory, '.env'))) ?? ''}`;
        return [{ name, directory, fingerprint }];
      }),
  );
  const all = found.flat();
  return {
    pipelines: all.filter(({ name }) => NAME.test(name)),
    refused: all.filter(({ name }) => !NAME.test(name)).map(({ name }) => name),
    isPipeline: entries.includes(TABLES_FILE),
  };
}

async function changedAt(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true ? `${found.mtimeMs}-${found.size}` : undefined;
}
