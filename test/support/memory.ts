/** How much memory a command takes at most, as Linux counts it. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { startIncrep, type IncrepOptions, type IncrepResult } from './increp.ts';
import type { Pair } from './open-pair.ts';

export interface Measured extends IncrepResult {
  /** The largest resident set of increp itself, children not counted, in megabytes (10^6). */
  readonly peakMegabytes: number;
}

export async function measured(args: string, pair: Pair, options: IncrepOptions = {}): Promise<Measured> {
  await using running = startIncrep(args, pair, options);
  const end = running.wait();
  let hasEnded = false;
  void end.then(() => (hasEnded = true));
  let peakMegabytes = 0;
  while (!hasEnded) {
    peakMegabytes = Math.max(peakMegabytes, await peakOf(running.pid));
    await sleep(5);
  }
  return { ...(await end), peakMegabytes };
}

async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const [, kibibytes = '0'] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  return (Number(kibibytes) * 1024) / 1e6;
}
