/** pg_dump and pg_restore as they are on this machine. */
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { searchPath } from '../config/process-environment.ts';

export type ToolVersion = number | 'missing';

/** Major versions. */
export interface ClientTools {
  readonly pgDump: ToolVersion;
  readonly pgRestore: ToolVersion;
}

export async function findClientTools(): Promise<ClientTools> {
  const [pgDump, pgRestore] = await Promise.all([majorVersion('pg_dump'), majorVersion('pg_restore')]);
  return { pgDump, pgRestore };
}

async function majorVersion(program: string): Promise<ToolVersion> {
  const { execa } = await import('execa');
  const { stdout, failed } = await execa(program, ['--version'], {
    reject: false,
    timeout: 10_000,
    extendEnv: false,
    env: { PATH: searchPath() },
  });
  const version = / (\d+)(?:\.|beta|rc|devel)/.exec(stdout ?? '')?.[1];
  return failed || version === undefined ? 'missing' : Number(version);
}

/** Where a program is found; undefined where it is not. */
export async function pathOf(program: string): Promise<string | undefined> {
  for (const directory of searchPath().split(delimiter)) {
    const path = join(directory, program);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}
