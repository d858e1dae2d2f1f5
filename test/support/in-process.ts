/** The program called in this process, with streams in memory. */
import { Readable, Writable } from 'node:stream';
import { main } from '../../src/cli.ts';
import { IncrepError } from '../../src/errors.ts';
import type { Environment } from '../../src/environment.ts';
import type { Timing } from '../../src/timing.ts';

export interface Call {
  readonly args: readonly string[];
  readonly environment: Environment;
  readonly directory: string;
  readonly input: string;
  readonly timing: Timing;
  /** Milliseconds until it is stopped as by a signal. */
  readonly timeout: number;
}

export interface Called {
  readonly exitCode: number;
  readonly signal: undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

export async function callMain(call: Call): Promise<Called> {
  const [stdout, stderr] = [new Captured(), new Captured()];
  const stop = new AbortController();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stop.abort(new IncrepError('INTERRUPTED', { what: 'the test stopped waiting', next: '', exitCode: 143 }));
  }, call.timeout);
  try {
    const exitCode = await main(call.args, {
      stdin: Readable.from([call.input]),
      stdout,
      stderr,
      environment: call.environment,
      workingDirectory: call.directory,
      signal: stop.signal,
      timing: call.timing,
    });
    return { exitCode, signal: undefined, stdout: stdout.text, stderr: stderr.text, timedOut };
  } finally {
    clearTimeout(timer);
  }
}

export class Captured extends Writable {
  text = '';

  constructor() {
    super({ decodeStrings: false });
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}
