/** What Linux knows of processes: the CPU they have used and the memory they take. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import process from 'node:process';

/** /proc counts in these, on every architecture that Node runs on. */
const TICKS_A_SECOND = 100;

export const hasProcesses = (): boolean => existsSync(`/proc/${process.pid}/task/${process.pid}/children`);

const read = (pid: number, file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');

/** Seconds of user and system time: its own, and that of its children that have ended. */
async function cpuOf(pid: number): Promise<{ readonly own: number; readonly ended: number }> {
  // The name of the program, in parentheses, may hold anything.
  const fields = (await read(pid, 'stat'))
    .replace(/^.*\) /s, '')
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
  return { own: (user + system) / TICKS_A_SECOND, ended: (childUser + childSystem) / TICKS_A_SECOND };
}

async function childrenOf(pid: number): Promise<number[]> {
  return (await read(pid, `task/${pid}/children`)).split(' ').filter(Boolean).map(Number);
}

/** All that a server has used so far: the postmaster, the backends that it has, and those that it had. */
export async function cpuOfServer(postmaster: number): Promise<number> {
  const { own, ended } = await cpuOf(postmaster);
  const backends = await Promise.all((await childrenOf(postmaster)).map(cpuOf));
  return own + ended + backends.reduce((sum, backend) => sum + backend.own, 0);
}

/** Of the commands that we have run to their end, with all that they have started and waited for. */
export const cpuOfEndedCommands = async (): Promise<number> => (await cpuOf(process.pid)).ended;

/** Remembers the largest resident set of the process and of each below it, in bytes. */
export async function notePeaks(pid: number, peaks: Map<number, number>): Promise<void> {
  const [, kibibytes = '0'] = /^VmHWM:\s+(\d+) kB$/m.exec(await read(pid, 'status')) ?? [];
  peaks.set(pid, Math.max(peaks.get(pid) ?? 0, Number(kibibytes) * 1024));
  for (const child of await childrenOf(pid)) await notePeaks(child, peaks);
}
