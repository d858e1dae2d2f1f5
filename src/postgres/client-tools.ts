/** The versions of pg_dump and pg_restore on this machine. */
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { firstLine } from '../format.ts';

/** A program that is there but does not print its version. */
export interface Unusable {
  readonly fault: string;
}

/** A major version. */
export type ToolVersion = number | 'missing' | Unusable;

export interface ClientTools {
  readonly pgDump: ToolVersion;
  readonly pgRestore: ToolVersion;
}

export interface ToolEnvironment {
  /** The directories for programs, in the format of PATH. */
  readonly searchPath: string;
  readonly host: string;
}

/**
 * The wrapper of Debian starts the newest version of a program if a host is given. Otherwise it starts the version of a
 * local cluster, which may be older. So each start needs the host, also for programs that do not connect.
 */
export const toolEnvironment = ({ searchPath, host }: ToolEnvironment): Record<string, string> => ({
  PATH: searchPath,
  PGHOST: host,
});

export async function findClientTools(environment: ToolEnvironment): Promise<ClientTools> {
  const [pgDump, pgRestore] = await Promise.all([
    majorVersion('pg_dump', environment),
    majorVersion('pg_restore', environment),
  ]);
  return { pgDump, pgRestore };
}

const VERSION_SECONDS = 10;

async function majorVersion(program: string, environment: ToolEnvironment): Promise<ToolVersion> {
  const { execa } = await import('execa');
  const result = await execa(program, ['--version'], {
    reject: false,
    timeout: VERSION_SECONDS * 1000,
    extendEnv: false,
    env: toolEnvironment(environment),
  });
  if (result.code === 'ENOENT') return 'missing';
  const version = / (\d+)(?:\.|beta|rc|devel)/.exec(result.stdout ?? '')?.[1];
  if (!result.failed && version !== undefined) return Number(version);
  return { fault: faultOf(result) };
}

interface EndedProgram {
  readonly timedOut: boolean;
  readonly code?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly stderr?: string | undefined;
}

function faultOf({ timedOut, code, exitCode, signal, stderr }: EndedProgram): string {
  if (timedOut) return `"--version" did not end within ${VERSION_SECONDS} s`;
  const said = firstLine(stderr?.trim() ?? '');
  if (said !== '') return said;
  if (exitCode === 0) return '"--version" printed no version';
  return `"--version" failed (${code ?? signal ?? `exit code ${exitCode ?? 'unknown'}`})`;
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
