/** The program as a process, with other waits than its own: `node timed-program.ts TIMING ARGS...` */
import process from 'node:process';
import { main } from '../../src/cli.ts';
import { abortOnSignal } from '../../src/process.ts';
import type { Timing } from '../../src/timing.ts';

const [timing = '', ...args] = process.argv.slice(2);

process.exitCode = await main(args, {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  workingDirectory: process.cwd(),
  signal: abortOnSignal(),
  timing: JSON.parse(timing) as Timing,
});
