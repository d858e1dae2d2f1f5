/**
 * The loop of `sync --watch` in a process of its own, with turns that follow each other as fast as they can, and what such
 * a process holds after the first of them and after the last: node --expose-gc watch-loop.ts DIRECTORY TURNS
 */
import { getEventListeners } from 'node:events';
import process from 'node:process';
import { abortOnSignal } from '../../src/process.ts';
import { DEFAULT_TIMING } from '../../src/timing.ts';
import { syncCommand } from '../../src/commands/sync.ts';
import { terminalOf } from '../../src/commands/terminal/terminal.ts';

interface Held {
  readonly heapBytes: number;
  /** Sockets, timers and the like that keep a process alive. */
  readonly resources: readonly string[];
  /** Of the process, its streams, and the signal that ends it. */
  readonly listeners: number;
}

export interface Holdings {
  readonly first: Held;
  readonly last: Held;
  readonly warnings: readonly string[];
}

/** V8 compiles and remembers for hundreds of turns, so as many come before the first look as after it. */
const LEAST_WARMING_UP = 30;

async function main(directory: string, turns: number): Promise<void> {
  const warnings: string[] = [];
  const warmingUp = Math.max(LEAST_WARMING_UP, turns);
  process.on('warning', ({ name, message }) => void warnings.push(`${name}: ${message}`));
  const signal = abortOnSignal();
  const seen: Held[] = [];
  let count = 0;
  const out = (text: string) => {
    if (!text.includes('"type":"summary"')) return;
    if (!text.includes('"status":"ok"')) throw new Error(text);
    count += 1;
    if (count === warmingUp || count === warmingUp + turns) seen.push(held(signal));
    if (count === warmingUp + turns) process.kill(process.pid, 'SIGTERM');
  };
  const { stdin, stdout, stderr } = process;
  const environment = {};
  const terminal = {
    ...terminalOf(
      { stdin, stdout, stderr, environment },
      { isColorRefused: true, wantsJsonMessages: () => false, typedCommand: (verb) => `increp ${verb}` },
    ),
    out,
  };
  const exitCode = await syncCommand([], {
    ...{ environment, workingDirectory: directory, timing: DEFAULT_TIMING },
    ...{ directory, terminal, signal, exclude: [], destination: [], waitLock: 0, waitTransactions: 5 },
    ...{
      fullRefresh: false,
      deletes: false,
      force: false,
      adopt: false,
      replace: false,
      verify: false,
      jobs: undefined,
      failFast: false,
      dryRun: false,
    },
    ...{ json: true, quiet: true, verbose: false, maxDuration: 50, watch: 0.01 },
  });
  const [first, last] = seen;
  stdout.write(JSON.stringify({ first, last, warnings, exitCode }));
}

function held(signal: AbortSignal): Held {
  for (let pass = 0; pass < 3; pass += 1) globalThis.gc?.();
  const emitters = [process, process.stdout, process.stderr];
  return {
    heapBytes: process.memoryUsage().heapUsed,
    resources: process.getActiveResourcesInfo().toSorted(),
    listeners: emitters
      .flatMap((emitter) => emitter.eventNames().map((name) => emitter.listenerCount(name)))
      .reduce((sum, each) => sum + each, getEventListeners(signal, 'abort').length),
  };
}

const [, , directory, turns] = process.argv;
if (directory !== undefined) await main(directory, Number(turns));
