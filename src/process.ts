/** The boundary to the process: its streams, environment, signals and exit code. No other file uses them. */
import { realpathSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import process from 'node:process';
import { main } from './cli.ts';
import { IncrepError } from './errors.ts';
import { shellWord } from './shell-word.ts';
import { SIGNAL_EXIT_CODES } from './signals.ts';
import { DEFAULT_TIMING } from './timing.ts';

export async function runProcess(args: readonly string[]): Promise<void> {
  process.exitCode = await main(args, {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    program: startedAs(process.argv[1] ?? ''),
    workingDirectory: workingDirectory(),
    signal: abortOnSignal(),
    timing: DEFAULT_TIMING,
  });
}

/** From cron, the program is often not in the PATH. */
function startedAs(path: string): string | undefined {
  const file = process.env['npm_command'] === 'exec' ? realPath(path) : path;
  if (file.endsWith('.js')) return `${shellWord(process.execPath)} ${shellWord(file)}`;
  const isInPath = (process.env['PATH'] ?? '').split(delimiter).includes(dirname(path));
  return isInPath ? undefined : shellWord(path);
}

/** npx starts a link in a directory of its own. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Also for a current directory that was deleted. Then the shell still knows its name. */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return process.env['PWD'] ?? '/(deleted)';
  }
}

/**
 * Aborts on the first signal, so that the work can roll back and report it. A second signal ends the process as
 * usual.
 */
export function abortOnSignal(): AbortSignal {
  const controller = new AbortController();
  for (const [name, exitCode] of Object.entries(SIGNAL_EXIT_CODES)) {
    const stop = () => {
      // With process.once() there would be no listener left, and execa would end the process.
      setImmediate(() => process.off(name, stop));
      controller.abort(
        new IncrepError('INTERRUPTED', {
          what: `stopped by ${name}`,
          next: 'Work that was not committed was rolled back. The next "increp sync" continues from there.',
          exitCode,
        }),
      );
    };
    process.on(name, stop);
  }
  return controller.signal;
}
