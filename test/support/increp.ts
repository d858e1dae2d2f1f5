/** Runs the real command in the pipeline's directory: in this process, or as a child process. */
import { rememberSettings } from './canaries.ts';
import { callMain } from './in-process.ts';
import {
  describeResult,
  environmentFor,
  expectNoSecretIn,
  startIncrep,
  TIMEOUT_MS,
  wordsOf,
  type IncrepOptions,
  type IncrepResult,
  type Place,
} from './increp-process.ts';
import { isSampled } from './sample.ts';
import { timingWith } from './timing.ts';
import { toolPath } from './tool-path.ts';

const PATH = toolPath();

export { startIncrep } from './increp-process.ts';
export type { IncrepOptions, IncrepResult, RunningIncrep } from './increp-process.ts';

/** `increp('sync --json', pair)`; an array where an argument holds a space. */
export async function increp(
  args: string | readonly string[],
  place: Place,
  options: IncrepOptions = {},
): Promise<IncrepResult> {
  const words = wordsOf(args);
  if (isChild(words, options)) {
    await using running = startIncrep(words, place, options);
    return await running.wait();
  }
  const directory = options.cwd ?? place.directory;
  rememberSettings(directory, options.env ?? {});
  const result = await callMain({
    args: words,
    directory,
    environment: { ...environmentFor(place, options), PATH: options.env?.['PATH'] ?? PATH },
    input: options.input ?? '',
    timing: timingWith(options.timing),
    timeout: options.timeout ?? TIMEOUT_MS,
  });
  expectNoSecretIn(directory, words, result);
  return describeResult(result);
}

/** Variables that Node, its libraries and the driver read from the process by themselves. */
const PROCESS_VARIABLE = /^(NODE_|PG|UV_|LD_)|^(TZ|TMPDIR)$/;

/** Commands that are about the process: demo starts children of its own, and the shells call __complete. */
const CHILD_COMMANDS: readonly (string | undefined)[] = ['demo', '__complete'];

function isChild(
  words: readonly string[],
  { process: wanted, killSignal, env, timing }: IncrepOptions,
): boolean {
  const needsProcess =
    wanted === 'child' ||
    killSignal !== undefined ||
    CHILD_COMMANDS.includes(words[0]) ||
    Object.keys(env ?? {}).some((name) => PROCESS_VARIABLE.test(name));
  return needsProcess || (timing === undefined && isSampled(words.join(' ')));
}
