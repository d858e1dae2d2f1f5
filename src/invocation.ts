/** The inputs of the program. `src/process.ts` passes those of the process; a test passes its own. */
import type { Environment } from './environment.ts';
import type { Timing } from './timing.ts';

/** A stream for text output: of the process, or in memory. */
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
  /** How a shell starts this program. Undefined if by its name. */
  readonly program?: string | undefined;
  /** Absolute; relative paths on the command line start here. */
  readonly workingDirectory: string;
  /** Aborts with an `IncrepError` INTERRUPTED when the work must stop. */
  readonly signal: AbortSignal;
  readonly timing: Timing;
}
