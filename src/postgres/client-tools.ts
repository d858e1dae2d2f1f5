/** pg_dump and pg_restore as they are on this machine. */
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
