/** The process around the program: its streams, its environment, its signals and its exit code. Nothing else reads them. */
import process from 'node:process';
import { main } from './cli.ts';
import { IncrepError } from './errors.ts';
import { DEFAULT_TIMING } from './timing.ts';

export async function runProcess(args: readonly string[]): Promise<void> {
  process.exitCode = await main(args, {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    workingDirectory: process.cwd(),
    signal: abortOnSignal(),
    timing: DEFAULT_TIMING,
  });
}

/** 128 + the signal's number, as a shell reports it. */
export const SIGNAL_EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** Aborts on the first signal: the work rolls back and says so. A second one ends the process as usual. */
export function abortOnSignal(): AbortSignal {
  const controller = new AbortController();
  for (const [name, exitCode] of Object.entries(SIGNAL_EXIT_CODES)) {
    const stop = () => {
      // Not process.once(): execa listens too, and where it finds no other listener it ends the process.
      setImmediate(() => process.off(name, stop));
      controller.abort(
        new IncrepError('INTERRUPTED', {
          what: `stopped by ${name}`,
          next: 'What was unfinished was rolled back; the next "increp sync" continues where the last one ended.',
          exitCode,
        }),
      );
    };
    process.on(name, stop);
  }
  return controller.signal;
}
