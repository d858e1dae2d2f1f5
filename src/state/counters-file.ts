/** `sync-state/metrics.counters.json`: keeps the counters between runs. It moves to another machine together with the state files. */
import { randomBytes } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeDirectory } from '../ownership.ts';
import { replaceFile } from '../replace-file.ts';
import { fileFault, hasCode } from '../system-fault.ts';
import { newCounters, countersSchema, type Counters } from '../schema/counters.ts';

/** No state file has this name, because a full stop in the name of a table is encoded. */
export const COUNTERS_FILE = 'metrics.counters.json';

/** A lock is held for milliseconds. An older lock was left by a run that was killed. */
const LOCK_IS_STALE_AFTER_MS = 5000;

interface CountersUpdate {
  /** The state directory. */
  readonly directory: string;
  readonly pipeline: string;
  readonly change: (counters: Counters) => Counters;
  /**
   * Called with the saved counters, by one run at a time. If the change cannot be saved, it gets the counters from before the
   * change, so that no counter ever decreases. It gets undefined if the file cannot be read.
   */
  readonly use: (counters: Counters | undefined) => Promise<void>;
}

/** Resolves to the problem with the file, or to undefined. Rejects only if `use` rejects. */
export async function updateCounters({
  directory,
  pipeline,
  change,
  use,
}: CountersUpdate): Promise<string | undefined> {
  const path = join(directory, COUNTERS_FILE);
  const unlock = await locked(directory, `${path}.lock`).catch((error: Error) => error);
  try {
    const { counters, problem } = await readCounters(path, pipeline);
    if (!counters || unlock instanceof Error) {
      await use(counters);
      return problem ?? (unlock instanceof Error ? unlock.message : undefined);
    }
    const changed = change(counters);
    const failure = await writeCounters(path, changed);
    await use(failure === undefined ? changed : counters);
    return failure ?? problem;
  } finally {
    if (!(unlock instanceof Error)) await unlock();
  }
}

interface FoundCounters {
  readonly counters: Counters | undefined;
  readonly problem?: string;
}

async function readCounters(path: string, pipeline: string): Promise<FoundCounters> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { counters: newCounters(pipeline) };
    return { counters: undefined, problem: fileFault(error) };
  }
  const found = countersSchema.safeParse(jsonOf(text));
  if (!found.success)
    return {
      counters: newCounters(pipeline),
      problem: `${path} holds no valid counters; increp starts new ones`,
    };
  return { counters: found.data.pipeline === pipeline ? found.data : newCounters(pipeline) };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const writeCounters = (path: string, counters: Counters): Promise<string | undefined> =>
  replaceFile(path, `${JSON.stringify(counters, null, 2)}\n`, 0o600).then(() => undefined, fileFault);

/** Locks the file, because two runs over different tables may end at the same moment. */
async function locked(directory: string, path: string): Promise<() => Promise<void>> {
  await makeDirectory(directory);
  // The process ID would not do, because it may be 1 in two containers.
  const owner = randomBytes(8).toString('hex');
  while (!(await isTaken(path, owner))) {
    await dropStale(path);
    await delay(20);
  }
  return () => removeOwn(path, owner).catch(() => undefined);
}

async function isTaken(path: string, owner: string): Promise<boolean> {
  try {
    await writeFile(path, owner, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
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
