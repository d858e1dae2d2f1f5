/** `sync-state/metrics.counters.json`: the counters between runs. It moves to another machine with the cursors. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode, replaceFile } from '../replace-file.ts';
import { newCounters, countersSchema, type Counters } from '../schema/counters.ts';

/** No table's state has this name: a full stop in a table's name is encoded. */
export const COUNTERS_FILE = 'metrics.counters.json';

/** A lock is held for milliseconds; one that is older was left behind by a run that was killed. */
const LOCK_IS_STALE_AFTER_MS = 5000;

interface CountersUpdate {
  /** Of the state. */
  readonly directory: string;
  readonly pipeline: string;
  readonly change: (counters: Counters) => Counters;
  /**
   * What is made of it, one run at a time. What could not be kept is not counted: it is given the counters from before,
   * so that no counter ever falls; undefined where even that cannot be read.
   */
  readonly use: (counters: Counters | undefined) => Promise<void>;
}

/** Resolves to what is wrong with the file, or to undefined. Rejects only with what `use` rejects with. */
export async function updateCounters({
  directory,
  pipeline,
  change,
  use,
}: CountersUpdate): Promise<string | undefined> {
  const path = join(directory, COUNTERS_FILE);
  const unlock = await locked(directory, `${path}.lock`).catch((error: Error) => error);
  try {
    const { counters, trouble } = await readTally(path, pipeline);
    if (!counters || unlock instanceof Error) {
      await use(counters);
      return trouble ?? (unlock instanceof Error ? unlock.message : undefined);
    }
    const changed = change(counters);
    const failure = await writeTally(path, changed);
    await use(failure === undefined ? changed : counters);
    return failure ?? trouble;
  } finally {
    if (!(unlock instanceof Error)) await unlock();
  }
}

interface FoundCounters {
  readonly counters: Counters | undefined;
  readonly trouble?: string;
}

async function readTally(path: string, pipeline: string): Promise<FoundCounters> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { counters: newCounters(pipeline) };
    return { counters: undefined, trouble: messageOf(error) };
  }
  const found = countersSchema.safeParse(jsonOf(text));
  if (!found.success)
    return { counters: newCounters(pipeline), trouble: `${path} was not readable; it begins anew` };
  return { counters: found.data.pipeline === pipeline ? found.data : newCounters(pipeline) };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const writeTally = (path: string, counters: Counters): Promise<string | undefined> =>
  replaceFile(path, `${JSON.stringify(counters, null, 2)}\n`, 0o600).then(() => undefined, messageOf);

/** Two runs over different tables may end at the same moment. */
async function locked(directory: string, path: string): Promise<() => Promise<void>> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // Not the process ID: in two containers both may be 1.
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

/** A run that was suspended for long finds the lock of another one, which is not its to remove. */
async function removeOwn(path: string, owner: string): Promise<void> {
  if ((await readFile(path, 'utf8')) === owner) await rm(path, { force: true });
}

/** Of two that do so at the same moment one may drop the other's new lock. That costs the numbers of one run. */
async function dropStale(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  const isStale = (now: number) => found && Math.abs(now - found.mtimeMs) > LOCK_IS_STALE_AFTER_MS;
  // On the network it is the file server's clock that tells how old the lock is.
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

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
