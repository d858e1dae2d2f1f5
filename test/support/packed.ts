/** What `npm pack` makes of the checkout, and a global install of it. */
import { cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { PROJECT } from './project.ts';

const NPM = {
  preferLocal: false,
  env: { npm_config_loglevel: 'error', npm_config_update_notifier: 'false' },
} as const;

/** The tarball of what the tests have built. */
export const pack = async (to: string, from = PROJECT): Promise<string> => {
  const { stdout } = await execa('npm', ['pack', '--ignore-scripts', '--pack-destination', to], {
    ...NPM,
    cwd: from,
  });
  return join(to, stdout.trim().split('\n').at(-1) ?? '');
};

/**
 * Installs the tarball below `prefix`, as `npm install --global` does it. In CI the dependencies come from the registry;
 * elsewhere the installed ones are put into the tarball, so that no network is needed.
 */
export async function installGlobally(tarball: string, prefix: string): Promise<void> {
  const isOnline = Boolean(process.env['CI']);
  const installed = isOnline ? tarball : await withDependencies(tarball, prefix);
  const network = isOnline ? '--prefer-offline' : '--offline';
  await execa(
    'npm',
    ['install', '--global', '--prefix', prefix, network, '--no-audit', '--no-fund', installed],
    {
      ...NPM,
      cwd: prefix,
    },
  );
}

/** Installs a version of Node from the registry. Returns the directory of its program. */
export async function installNode(version: string, directory: string): Promise<string> {
  await execa(
    'npm',
    ['install', '--prefix', directory, '--no-save', '--no-audit', '--no-fund', `node@${version}`],
    {
      ...NPM,
      cwd: directory,
    },
  );
  return join(directory, 'node_modules', 'node', 'bin');
}

async function withDependencies(tarball: string, workspace: string): Promise<string> {
  const directory = await mkdtemp(join(workspace, 'bundle-'));
  await execa('tar', ['-xzf', tarball, '-C', directory]);
  const packed = join(directory, 'package');
  const listed = await execa('npm', ['ls', '--all', '--omit=dev', '--parseable'], {
    ...NPM,
    cwd: PROJECT,
    reject: false,
  });
  const modules = join(PROJECT, 'node_modules');
  const paths = [...new Set(listed.stdout.split('\n'))].map((path) => relative(modules, path));
  for (const path of paths) {
    // One within another comes along with it.
    if (path.startsWith('..') || path.includes('node_modules')) continue;
    await mkdir(join(packed, 'node_modules', path, '..'), { recursive: true });
    await cp(join(modules, path), join(packed, 'node_modules', path), { recursive: true });
  }
  const manifest = JSON.parse(await readFile(join(packed, 'package.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  const { devDependencies: _, ...kept } = manifest;
  await writeFile(join(packed, 'package.json'), JSON.stringify({ ...kept, bundleDependencies: true }));
  return pack(directory, packed);
}
