/** One run of a command, or of other work, with what it took. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuOfEndedCommands, cpuOfServer, hasProcesses, notePeaks } from './processes.ts';
import type { Figures } from './result.ts';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
}

export interface Ended {
  readonly stdout: string;
  readonly peakBytes: number | null;
  readonly seconds: number;
}

/** The process ids of the servers whose CPU counts. */
export type Servers = readonly number[];

const BETWEEN_LOOKS_MS = 20;

/** @throws Error with what it said, when it does not end with 0 */
export async function runCommand({ file, args, env, directory }: Command): Promise<Ended> {
  const startedAt = performance.now();
  const child = spawn(file, args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const end = once(child, 'close') as Promise<[code: number | null, signal: string | null]>;
  let seconds = 0;
  void end.then(
    () => (seconds = (performance.now() - startedAt) / 1000),
    () => undefined,
  );
  const peak = watchMemory(child.pid ?? 0, () => child.exitCode === null && child.signalCode === null);
  const [stdout, stderr, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), end]);
  if (code !== 0)
    throw new Error(`${file} ${args.join(' ')} ended with ${code ?? signal}\n${stderr}${stdout}`);
  return { stdout, seconds, peakBytes: await peak };
}

async function watchMemory(pid: number, isRunning: () => boolean): Promise<number | null> {
  if (!hasProcesses()) return null;
  const peaks = new Map<number, number>();
  while (isRunning()) {
    await notePeaks(pid, peaks);
    await sleep(BETWEEN_LOOKS_MS);
  }
  return Math.max(...peaks.values()) || null;
}

export interface Measured {
  readonly figures: Figures;
  readonly stdout: string;
}

export async function measureCommand(command: Command, servers: Servers): Promise<Measured> {
  const cpuBefore = await cpuOfAll(servers);
  const { stdout, seconds, peakBytes } = await runCommand(command);
  return { stdout, figures: await figuresOf(servers, { cpuBefore, seconds, peakBytes }) };
}

/** For what is no command: its memory is not known. */
export async function measureWork(work: () => Promise<void>, servers: Servers): Promise<Figures> {
  const cpuBefore = await cpuOfAll(servers);
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  return figuresOf(servers, { cpuBefore, seconds, peakBytes: null });
}

interface Before {
  readonly cpuBefore: number;
  readonly seconds: number;
  readonly peakBytes: number | null;
}

async function figuresOf(servers: Servers, { cpuBefore, seconds, peakBytes }: Before): Promise<Figures> {
  const cpu_s = hasProcesses() ? (await cpuOfAll(servers)) - cpuBefore : null;
  return { wall_s: seconds, cpu_s, peak_bytes: peakBytes };
}

async function cpuOfAll(servers: Servers): Promise<number> {
  const parts = await Promise.all([cpuOfEndedCommands(), ...servers.map(cpuOfServer)]);
  return parts.reduce((sum, part) => sum + part, 0);
}
