/** Where a command prints: results to stdout, everything else to stderr. */

export interface Terminal {
  /** Results. */
  readonly out: (text: string) => void;
  /** Conversation. */
  readonly say: (text: string) => void;
  readonly isStdoutTerminal: boolean;
  readonly isStderrTerminal: boolean;
  readonly hasColor: boolean;
  /** False where nothing may be rewritten in place: NO_COLOR, CI, a dumb terminal. */
  readonly allowsMovement: boolean;
  /** Cells of stdout; Infinity where it is no terminal, because then nothing needs cutting. */
  readonly width: number;
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
    hasColor: stdout.isTTY === true && !isPlain,
    allowsMovement: !isPlain && !environment['CI'],
    width: stdout.isTTY === true ? stdout.columns : Infinity,
  };
}

function ignoreClosed(error: Error & { code?: string }): void {
  if (error.code !== 'EPIPE') throw error;
}
