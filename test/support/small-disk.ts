/** A real file system of a few megabytes. Mounting takes a privilege that not every machine gives to its tests. */
import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Pool } from 'pg';

const BYTES = 12_000_000;
const DIRECTORIES = ['source', 'destination', 'state'] as const;

interface SmallDisk extends AsyncDisposable {
  /** Good as the name of a tablespace. */
  readonly name: string;
  /** A directory on it: "source" and "destination" belong to the servers. */
  path(directory: (typeof DIRECTORIES)[number]): string;
  /** Until not a byte is left. */
  fill(): Promise<void>;
  clear(): Promise<void>;
}

/** Undefined where it cannot be had. `server`: one of the embedded ones, which run as one user on this machine. */
export async function smallDisk(server: Pool): Promise<SmallDisk | undefined> {
  const { rows } = await server.query<{ data_directory: string }>('SHOW data_directory');
  const owner = await stat(rows[0]?.data_directory ?? '').catch(() => undefined);
  const name = `small_${randomBytes(4).toString('hex')}`;
  const root = join(tmpdir(), name);
  await mkdir(root, { mode: 0o755 });
  const options = ['-t', 'tmpfs', '-o', `size=${BYTES},mode=755`, 'tmpfs', root];
  if (!owner || (await execa('mount', options, { reject: false })).failed) {
    await rm(root, { recursive: true });
    return undefined;
  }
  for (const directory of DIRECTORIES) {
    await mkdir(join(root, directory), { mode: 0o700 });
    if (directory !== 'state') await chown(join(root, directory), owner.uid, owner.gid);
  }
  const ballast = join(root, 'ballast');
  return {
    name,
    path: (directory) => join(root, directory),
    fill: () => fill(ballast),
    clear: () => rm(ballast),
    [Symbol.asyncDispose]: async () => {
      // Lazily: a server may have files open there.
      await execa('umount', ['--lazy', root]);
      await rm(root, { recursive: true });
    },
  };
}

async function fill(path: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (const piece of [Buffer.alloc(65_536), Buffer.alloc(512), Buffer.alloc(1)]) {
      while ((await file.write(piece).catch(() => ({ bytesWritten: 0 }))).bytesWritten > 0);
    }
  } finally {
    await file.close();
  }
}
