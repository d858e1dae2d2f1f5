/** What the program is started with. `src/process.ts` hands over the process's own, a test whatever it wants. */
import type { Environment } from './environment.ts';
import type { Timing } from './timing.ts';

/** A stream that text is written to: the process's own, or one in memory. */
export interface OutputStream extends NodeJS.WritableStream {
  /** Only a terminal has these. */
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  readonly fd?: number;
}

export interface InputStream extends NodeJS.ReadableStream {
  readonly isTTY?: boolean;
}

export interface Invocation {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly environment: Environment;
  /** Absolute; relative paths on the command line start here. */
  readonly workingDirectory: string;
  /** Aborted with an `IncrepError` INTERRUPTED when the work is to stop. */
  readonly signal: AbortSignal;
  readonly timing: Timing;
}
