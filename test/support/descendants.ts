/** The processes below one, as everybody on the machine can see them. Linux only. */
import { readdir, readFile } from 'node:fs/promises';

export interface ProcessView {
  readonly pid: number;
  readonly commandLine: string;
  /** Only its owner and root can read it. */
  readonly environment: string;
}

/** The process itself and all that it has started, as far as they are still there. */
export async function processTree(root: number): Promise<ProcessView[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (/^\d+$/.test(name)) parents.set(Number(name), await parentOf(Number(name)));
  }
  const isBelow = (pid: number): boolean => pid === root || (pid > 1 && isBelow(parents.get(pid) ?? 0));
  const pids = [...parents.keys()].filter(isBelow);
  return Promise.all(
    pids.map(async (pid) => ({
      pid,
      commandLine: await read(pid, 'cmdline'),
      environment: await read(pid, 'environ'),
    })),
  );
}

const read = async (pid: number, file: string): Promise<string> =>
  (await readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')).replaceAll('\0', '\n');

/** The name of the program, in parentheses, may hold anything. */
async function parentOf(pid: number): Promise<number> {
  return Number(/\) \S (\d+)/.exec((await read(pid, 'stat')).replaceAll('\n', ' '))?.[1] ?? 0);
}
