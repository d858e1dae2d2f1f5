import { resolve } from 'node:path';
import type { Environment } from '../../environment.ts';
import type { Style } from '../../report/style.ts';
import { shellWord } from '../../shell-word.ts';

interface ProgramStart {
  /** The value of -C. */
  readonly directory: string | undefined;
  /** How a shell starts this program. Undefined if by its name. */
  readonly program?: string | undefined;
  readonly environment: Environment;
  /** Absolute. */
  readonly workingDirectory: string;
}

/** They need no directory. A shell completes in every directory, but npx finds the program in few. */
const WITHOUT_PIPELINE = new Set(['help', '--help', 'completion', 'demo']);

/**
 * A command as the user would type it for this pipeline: with npx if this process was started with npx, by its path if
 * it is not in the PATH, and with -C if the directory was named. Output that goes to a file or a mail is read in another directory, so it gets the absolute
 * path.
 */
export function typedCommand(
  { directory, program: started = 'increp', environment, workingDirectory }: ProgramStart,
  verb: string,
  isTerminal: boolean,
): string {
  const isNpx = environment['npm_command'] === 'exec' && verb !== 'completion';
  const program = isNpx ? 'npx increp' : started;
  const named = directory || (isTerminal ? undefined : environment['INCREP_DIR']);
  if (!named || WITHOUT_PIPELINE.has(verb)) return `${program} ${verb}`;
  return `${program} -C ${shellWord(isTerminal ? named : resolve(workingDirectory, named))} ${verb}`;
}

/** How every shell in every directory starts the program. */
export const startOf = ({ typedCommand: typed }: Style): string =>
  (typed?.('completion') ?? 'increp completion').replace(/ completion$/, '');
