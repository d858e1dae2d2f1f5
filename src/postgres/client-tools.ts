/** The versions of pg_dump and pg_restore on this machine. */
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

export type ToolVersion = number | 'missing';

/** Major versions. */
export interface ClientTools {
  readonly pgDump: ToolVersion;
  readonly pgRestore: ToolVersion;
}

/** @param searchPath in the format of PATH */
export async function findClientTools(searchPath: string): Promise<ClientTools> {
  const [pgDump, pgRestore] = await Promise.all([
    majorVersion('pg_dump', searchPath),
    majorVersion('pg_restore', searchPath),
  ]);
  return { pgDump, pgRestore };
}

async function majorVersion(program: string, searchPath: string): Promise<ToolVersion> {
  const { execa } = await import('execa');
  const { stdout, failed } = await execa(program, ['--version'], {
    reject: false,
    timeout: 10_000,
    extendEnv: false,
    env: { PATH: searchPath },
  });
  const version = / (\d+)(?:\.|beta|rc|devel)/.exec(stdout ?? '')?.[1];
  return failed || version === undefined ? 'missing' : Number(version);
}

/** The path of a program; undefined if it is not found. */
export async function pathOf(program: string, searchPath: string): Promise<string | undefined> {
  for (const directory of searchPath.split(delimiter)) {
    const path = join(directory, program);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}
