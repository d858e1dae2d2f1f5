/** Long texts on a terminal: they open in a pager, as those of `man` and `git help` do. */
import { once } from 'node:events';
import type { GlobalOptions } from './options.ts';

/** Quits if the text fits on the screen, shows colors, and leaves the text on the screen. As git sets it. */
const LESS = 'FRX';

type PagedOutput = Pick<GlobalOptions, 'terminal' | 'environment' | 'signal'>;

/** Prints the text without a pager if it fits, if nobody sees it now, or if there is no pager. */
export async function printInPager(text: string, options: PagedOutput): Promise<void> {
  const { terminal, environment } = options;
  const height = terminal.screen?.isStdout === true ? terminal.screen.height : undefined;
  const pager = environment['PAGER'] ?? 'less';
  const isLong = height !== undefined && text.split('\n').length > height;
  if (!isLong || pager === '' || pager === 'cat' || !(await hasShown(pager, text, options)))
    terminal.out(text);
}

/** False if there is no such program. */
async function hasShown(pager: string, text: string, { environment, signal }: PagedOutput): Promise<boolean> {
  // Without a shell between them, Ctrl+C ends the pager and not only the shell.
  const isPlain = /^[\w\s./+-]+$/.test(pager);
  const [program = '', ...args] = isPlain ? pager.trim().split(/\s+/) : ['sh', '-c', pager];
  // Most commands never need it, and it would load before each of them.
  const { spawn } = await import('node:child_process');
  const child = spawn(program, args, {
    stdio: ['pipe', 'inherit', 'ignore'],
    env: { LESS, ...environment },
  });
  signal.addEventListener('abort', () => child.kill(), { once: true });
  // The user may quit before the end of the text.
  child.stdin.on('error', () => undefined);
  child.stdin.end(text);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code !== 127;
  } catch {
    return false;
  }
}
