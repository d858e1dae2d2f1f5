/** Where a pipeline lives: the directory with its `.env`, its `tables-config.json` and its state. */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { IncrepError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import type { Environment } from './process-environment.ts';
import { processEnvironment } from './process-environment.ts';

/** `-C DIR`, else `INCREP_DIR`, else the current directory; absolute. */
export function resolveDirectory(
  flag: string | undefined,
  environment: Environment = processEnvironment(),
): string {
  // `-C "$DIR"` with DIR unset must not run whatever pipeline happens to be here.
  if (flag === '') throw new IncrepError('USAGE', { what: '-C is empty', next: 'Give it a directory.' });
  const fromEnvironment = environment['INCREP_DIR'] || undefined;
  const directory = resolve(flag ?? fromEnvironment ?? '.');
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return directory;
  const origin = flag === undefined ? 'INCREP_DIR' : '-C';
  const near = neighbourOf(directory);
  throw new IncrepError(flag === undefined ? 'CONFIG_INVALID' : 'USAGE', {
    what: `${origin} names ${directory}, which is not a directory${near === undefined ? '' : `; did you mean ${near}?`}`,
    next: 'Name the directory that holds .env and tables-config.json.',
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
