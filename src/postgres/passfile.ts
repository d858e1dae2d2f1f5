/** A password for a child, where neither its arguments nor its environment show it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** libpq's format has no way to write a line break. */
export const fitsPassfile = (password: string | undefined): boolean => !/[\r\n\0]/.test(password ?? '');

interface Passfile {
  /** Empty but for the file, mode 0700: good as a child's HOME, so that no file of the user's decides anything. */
  readonly directory: string;
  readonly path: string;
  /** Removes the file as soon as nobody needs it: a process that is killed later leaves no password behind. */
  readonly forget: () => Promise<void>;
}

export async function withPassfile<T>(
  password: string | undefined,
  use: (passfile: Passfile) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'increp-'));
  try {
    const path = join(directory, 'pgpass');
    const escaped = (password ?? '').replaceAll(/[\\:]/g, '\\$&');
    await writeFile(path, `*:*:*:*:${escaped}\n`, { mode: 0o600 });
    return await use({ directory, path, forget: () => rm(path, { force: true }) });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
