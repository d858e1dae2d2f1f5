/** Where pg_dump and pg_restore are: on Debian, behind the script in front of them, which takes longer than they do. */
import { readdirSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';

const VERSIONS = '/usr/lib/postgresql';

/** PATH, with the directory of the newest programs in front where a script chooses among them. */
export const toolPath = (): string => [...directoriesBehindScript(), process.env['PATH']].join(delimiter);

function directoriesBehindScript(): string[] {
  const first = (process.env['PATH'] ?? '').split(delimiter).flatMap((directory) => realPathOf(directory))[0];
  if (first === undefined || !first.endsWith('/pg_wrapper')) return [];
  const versions = readdirSync(VERSIONS).map(Number).filter(Number.isFinite);
  return versions
    .toSorted((one, other) => other - one)
    .slice(0, 1)
    .flatMap((version) => realPathOf(join(VERSIONS, String(version), 'bin')))
    .map((path) => dirname(path));
}

function realPathOf(directory: string): string[] {
  try {
    return [realpathSync(join(directory, 'pg_dump'))];
  } catch {
    return [];
  }
}
