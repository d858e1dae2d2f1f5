/** Finds the directory of the pipeline, which contains `.env`, `tables-config.json` and the state. */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { IncrepError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { fileFault } from '../system-fault.ts';
import type { Environment } from '../environment.ts';

export interface DirectoryRequest {
  /** -C */
  readonly directory: string | undefined;
  readonly environment: Environment;
  /** Absolute. */
  readonly workingDirectory: string;
}

/** `-C DIR`, else `INCREP_DIR`, else the current directory; absolute. */
export function resolveDirectory(request: DirectoryRequest): string {
  const { directory, origin } = namedDirectory(request);
  const found = lookAt(directory);
  if (found === 'directory') return directory;
  throw notADirectory(
    { directory, origin, found },
    'Name the directory that contains .env and tables-config.json.',
  );
}

/** The same for a new pipeline. The directory need not exist yet. */
export function resolveNewDirectory(request: DirectoryRequest): string {
  const { directory, origin } = namedDirectory(request);
  const found = lookAt(directory);
  if (found === 'directory' || found === 'nothing') return directory;
  throw notADirectory({ directory, origin, found }, 'Name a directory. It need not exist yet.');
}

type Origin = '-C' | 'INCREP_DIR' | 'current directory';

function namedDirectory({ directory: flag, environment, workingDirectory }: DirectoryRequest) {
  // An empty DIR in `-C "$DIR"` must not select the current directory.
  if (flag === '')
    throw new IncrepError('USAGE', { what: '-C is empty', next: 'Name a directory after -C.' });
  const fromEnvironment = environment['INCREP_DIR'] || undefined;
  const origin: Origin =
    flag !== undefined ? '-C' : fromEnvironment === undefined ? 'current directory' : 'INCREP_DIR';
  return { directory: resolve(workingDirectory, flag ?? fromEnvironment ?? '.'), origin };
}

interface WrongDirectory {
  readonly directory: string;
  readonly origin: Origin;
  readonly found: Exclude<Found, 'directory'>;
}

function notADirectory({ directory, origin, found }: WrongDirectory, next: string): IncrepError {
  const near = neighbourOf(directory);
  const fault = typeof found === 'object' ? `cannot be examined: ${found.fault}` : undefined;
  const named =
    origin === 'current directory'
      ? `the current directory ${directory} ${fault ?? 'does not exist'}`
      : `${origin} names ${directory}, which ${fault ?? 'is not a directory'}`;
  return new IncrepError(origin === '-C' ? 'USAGE' : 'CONFIG_INVALID', {
    what: `${named}${near === undefined ? '' : `; did you mean ${near}?`}`,
    next,
  });
}

/** A sibling directory with a similar name; undefined if there is none. */
function neighbourOf(directory: string): string | undefined {
  const parent = dirname(directory);
  try {
    const directories = readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const near = nearest(
      basename(directory),
      directories.map(({ name }) => name),
    );
    return near === undefined ? undefined : join(parent, near);
  } catch {
    return undefined;
  }
}

type Found = 'directory' | 'file' | 'nothing' | { readonly fault: string };

/** What is at a path. Another user may own a directory above it. */
export function lookAt(path: string): Found {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    return found === undefined ? 'nothing' : found.isDirectory() ? 'directory' : 'file';
  } catch (error) {
    return { fault: fileFault(error) };
  }
}

/** Where the programs of a pipeline start. `init` may run them before the directory exists. */
export function startDirectory(directory: string): string {
  let path = directory;
  while (lookAt(path) !== 'directory' && path !== dirname(path)) path = dirname(path);
  return path;
}
