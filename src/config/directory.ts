/** Where a pipeline lives: the directory with its `.env`, its `tables-config.json` and its state. */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { IncrepError } from '../errors.ts';
import { nearest } from '../nearest.ts';
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
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return directory;
  throw notADirectory(directory, origin, 'Name the directory that holds .env and tables-config.json.');
}

/** The same for a pipeline that is about to be made: the directory need not be there yet. */
export function newDirectory(request: DirectoryRequest): string {
  const { directory, origin } = namedDirectory(request);
  const there = statSync(directory, { throwIfNoEntry: false });
  if (!there || there.isDirectory()) return directory;
  throw notADirectory(directory, origin, 'Name a directory, which may be one that is still to be made.');
}

type Origin = '-C' | 'INCREP_DIR';

function namedDirectory({ directory: flag, environment, workingDirectory }: DirectoryRequest) {
  // `-C "$DIR"` with DIR unset must not run whatever pipeline happens to be here.
  if (flag === '') throw new IncrepError('USAGE', { what: '-C is empty', next: 'Give it a directory.' });
  const fromEnvironment = environment['INCREP_DIR'] || undefined;
  const origin: Origin = flag === undefined ? 'INCREP_DIR' : '-C';
  return { directory: resolve(workingDirectory, flag ?? fromEnvironment ?? '.'), origin };
}

function notADirectory(directory: string, origin: Origin, next: string): IncrepError {
  const near = neighbourOf(directory);
  return new IncrepError(origin === '-C' ? 'USAGE' : 'CONFIG_INVALID', {
    what: `${origin} names ${directory}, which is not a directory${near === undefined ? '' : `; did you mean ${near}?`}`,
    next,
  });
}

/** The directory beside it that was probably meant; none where there is nothing to be seen. */
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
