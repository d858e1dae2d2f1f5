/** Where a command prints: results to stdout, everything else to stderr. */
import type { Look } from '../observe/look.ts';

export interface Terminal {
  /** Results. */
  readonly out: (text: string) => void;
  /** Conversation. */
  readonly say: (text: string) => void;
  readonly isStdoutTerminal: boolean;
  readonly isStderrTerminal: boolean;
  /** Of stdout. */
  readonly look: Look;
  /** False where nothing may be rewritten in place: NO_COLOR, CI, a dumb terminal. */
  readonly allowsMovement: boolean;
}

interface Surroundings {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** --no-color was given. */
  readonly isColorRefused: boolean;
}

export function terminalOf({ stdout, stderr, environment, isColorRefused }: Surroundings): Terminal {
  const isPlain = isColorRefused || Boolean(environment['NO_COLOR']) || environment['TERM'] === 'dumb';
  // A reader that has closed its end wants no more; the work goes on.
  for (const stream of [stdout, stderr]) stream.on('error', ignoreClosed);
  return {
    out: (text) => void stdout.write(text),
    say: (text) => void stderr.write(text),
    isStdoutTerminal: stdout.isTTY === true,
    isStderrTerminal: stderr.isTTY === true,
    look: {
      color: stdout.isTTY === true && !isPlain,
      width: stdout.isTTY === true ? stdout.columns : Infinity,
      isUnicode: isUtf8(environment),
    },
    allowsMovement: !isPlain && !environment['CI'],
  };
}

/** As the C library chooses the characters of a locale. Where nothing is set, as in cron, that is ASCII. */
const isUtf8 = (environment: Surroundings['environment']): boolean =>
  /utf-?8/i.test(environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'] || '');

function ignoreClosed(error: Error & { code?: string }): void {
  if (error.code !== 'EPIPE') throw error;
}
