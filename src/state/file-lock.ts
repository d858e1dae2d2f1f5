/** A lock between runs on one machine, for a file that they read, change and write. */
import { randomBytes } from 'node:crypto';
import { open, readFile, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeDirectory } from '../ownership.ts';
import { hasCode } from '../system-fault.ts';

/** A lock is held for milliseconds. An older lock was left by a run that was killed. */
const LOCK_IS_STALE_AFTER_MS = 5000;

/** Locks the file, because two runs over different tables may end at the same moment. Returns what unlocks it. */
export async function lockFile(file: string): Promise<() => Promise<void>> {
  await makeDirectory(dirname(file));
  const path = `${file}.lock`;
  // The process ID would not do, because it may be 1 in two containers.
  const owner = randomBytes(8).toString('hex');
  while (!(await isTaken(path, owner))) {
    await dropStale(path);
    await delay(20);
  }
  return () => removeOwn(path, owner).catch(() => undefined);
}

async function isTaken(path: string, owner: string): Promise<boolean> {
  const file = await openNew(path);
  if (!file) return false;
  try {
    await file.writeFile(owner);
    return true;
  } catch (error) {
    // On a full disk, a lock without an owner would keep every run waiting until it is stale.
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

/** Undefined if the file exists. */
async function openNew(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return undefined;
    throw error;
  }
}

/** If the run was suspended for a long time, another run may own the lock by now. Its lock must stay. */
async function removeOwn(path: string, owner: string): Promise<void> {
  if ((await readFile(path, 'utf8')) === owner) await rm(path, { force: true });
}

/** If two runs remove a stale lock at the same moment, one may remove the new lock of the other. That loses the counts of one run. */
async function dropStale(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  const isStale = (now: number) => found && Math.abs(now - found.mtimeMs) > LOCK_IS_STALE_AFTER_MS;
  // On a network file system, the clock of the file server sets the time of the lock.
  if (isStale(Date.now()) && isStale(await timeOfFiles(path))) await rm(path, { force: true });
}

async function timeOfFiles(path: string): Promise<number> {
  const probe = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(probe, '', { flag: 'wx', mode: 0o600 });
    return (await stat(probe)).mtimeMs;
  } finally {
    await rm(probe, { force: true });
  }
}
