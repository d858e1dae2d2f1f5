/** A file is replaced as a whole: whoever reads it sees the old text or the new one, also after a power cut. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Temporary file beside it, fsync, rename, fsync of the folder. `mode` counts, whatever the umask is. */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  // Not by the process ID: in two containers both may be 1.
  const temporary = `${path}.tmp-${randomBytes(6).toString('hex')}`;
  try {
    const file = await open(temporary, 'w', mode);
    try {
      await file.chmod(mode);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    // A full disk is not helped by half a file.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    // Some file systems cannot; then the rename is as durable as it gets there.
    await handle.sync().catch((error: unknown) => {
      if (!hasCode(error, 'EINVAL', 'EPERM')) throw error;
    });
  } finally {
    await handle.close();
  }
}

/** Whether it is an error of the file system with one of these codes. */
export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));
