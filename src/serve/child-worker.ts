/** The worker of `serve`: a process of its own, so that the service opens no connection to a source or a destination. */
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { backoffSeconds } from '../backoff.ts';
import type { Environment } from '../environment.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import { signalBehind } from '../signals.ts';
import type { Timing } from '../timing.ts';
import { pause } from './keep-doing.ts';
import type { ServiceLog } from './service-log.ts';

const PROGRAM = join(PACKAGE_ROOT, 'bin', 'increp.js');

/** A process that lived longer than this starts again without a wait. */
const LONG_LIVED = 60;

interface ChildOptions {
  readonly args: readonly string[];
  readonly environment: Environment;
  readonly workingDirectory: string;
  readonly signal: AbortSignal;
  readonly timing: Pick<Timing['serve'], 'respawn'>;
  readonly say: (text: string) => void;
  readonly log: ServiceLog;
}

/** Resolves after the signal, when the worker has ended. */
export async function keepWorker(options: ChildOptions): Promise<void> {
  const { signal, timing, log } = options;
  for (let attempt = 0; !signal.aborted;) {
    const startedAt = performance.now();
    const how = await runWorker(options);
    if (signal.aborted) return;
    attempt = performance.now() - startedAt > LONG_LIVED * 1000 ? 0 : attempt + 1;
    const delay = attempt === 0 ? 0 : backoffSeconds(attempt, timing.respawn);
    log.warn(`the worker process ended (${how}); it starts again in ${delay.toFixed(1)} s`);
    await pause(delay, signal);
  }
}

async function runWorker({
  args,
  environment,
  workingDirectory,
  signal,
  say,
}: ChildOptions): Promise<string> {
  const child = execa(process.execPath, [PROGRAM, 'work', ...args, '--ends-with-stdin'], {
    cwd: workingDirectory,
    env: environment,
    extendEnv: false,
    // The worker ends if this pipe closes, also if this process is killed.
    stdin: 'pipe',
    stdout: 'ignore',
    reject: false,
    buffer: false,
    // In a group of its own: Ctrl-C would otherwise reach it twice, and the second signal ends it at once.
    detached: true,
    cleanup: false,
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => say(text));
  const stop = () => void child.kill(signalBehind(signal.reason));
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    const { exitCode, signal: killed } = await child;
    return killed === undefined ? `exit code ${exitCode ?? 'unknown'}` : killed;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
