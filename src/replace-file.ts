/** Replaces a file as a whole. A reader sees the old text or the new text, even after a power failure. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { giveToOwner } from './ownership.ts';
import { hasCode } from './system-fault.ts';

/**
 * Writes a temporary file beside it, then fsync, rename, and fsync of the directory. `mode` applies whatever the
 * umask is.
 */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  // The process ID would not be unique: in two containers it may be 1.
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
    await giveToOwner(temporary);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    // A partial file would only use space on a full disk.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    // Some file systems cannot sync a directory. Then the rename is as durable as the file system makes it.
    await handle.sync().catch((error: unknown) => {
      if (!hasCode(error, 'EINVAL', 'EPERM')) throw error;
    });
  } finally {
    await handle.close();
  }
}
