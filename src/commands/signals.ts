import { IncrepError } from '../errors.ts';

/** 128 + the signal's number, as a shell reports it. */
export const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** Aborts on the first signal: the work rolls back and says so. A second one ends the process as usual. */
export function abortOnSignal(): AbortSignal {
  const controller = new AbortController();
  for (const [name, exitCode] of Object.entries(EXIT_CODES)) {
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
