/** `sync-state/metrics.counters.json`: keeps the counters between runs. It moves to another machine together with the state files. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../replace-file.ts';
import { fileFault, hasCode } from '../system-fault.ts';
import { lockFile } from './file-lock.ts';
import { newCounters, countersSchema, type Counters } from '../schema/counters.ts';

/** No state file has this name, because a full stop in the name of a table is encoded. */
export const COUNTERS_FILE = 'metrics.counters.json';

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
  const unlock = await lockFile(path).catch((error: Error) => error);
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
