/** The signals that stop increp. */
import { asIncrepError } from './errors.ts';

/** 128 + the signal's number, as a shell reports it. */
export const SIGNAL_EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

type StopSignal = keyof typeof SIGNAL_EXIT_CODES;
const NAMES = Object.keys(SIGNAL_EXIT_CODES) as StopSignal[];

/** The signal that stops a child process in the same way as this one was stopped. */
export function signalBehind(reason: unknown): StopSignal {
  const { exitCode } = asIncrepError(reason);
  return NAMES.find((name) => SIGNAL_EXIT_CODES[name] === exitCode) ?? 'SIGTERM';
}
