/** The command that tests run is the built one; it is built again when a source file is newer. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { PROJECT } from './project.ts';

export async function buildProject(): Promise<void> {
  const built = await modifiedAt(join(PROJECT, 'dist', 'LICENSES.txt'));
  if (built > (await newestIn(join(PROJECT, 'src')))) return;
  await execa(process.execPath, ['scripts/build.ts'], { cwd: PROJECT });
}

async function newestIn(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.ts'));
  return Math.max(
    0,
    ...(await Promise.all(files.map((file) => modifiedAt(join(file.parentPath, file.name))))),
  );
}

const modifiedAt = async (file: string) => (await stat(file).catch(() => undefined))?.mtimeMs ?? 0;
