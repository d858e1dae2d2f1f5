/** Files that increp creates as root belong to the user who owns the directory, because later runs may be that user's. */
import { chown, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import process from 'node:process';

const isRoot = (): boolean => process.getuid?.() === 0;

/** Does nothing unless this is root. `path` is a new file or directory. */
export async function giveToOwner(path: string): Promise<void> {
  if (!isRoot()) return;
  const { uid, gid } = await stat(dirname(path));
  if (uid !== 0) await chown(path, uid, gid);
}

/** Creates missing directories with mode 0700. */
export async function makeDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  const made = [directory];
  while (made[0] !== undefined && made[0] !== first && dirname(made[0]) !== made[0])
    made.unshift(dirname(made[0]));
  for (const path of made) await giveToOwner(path);
}
