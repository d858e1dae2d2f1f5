/** The real command on a pseudo terminal of 80x24, by script(1), and what a person sees of it, by an emulator. */
import { join } from 'node:path';
import process from 'node:process';
import headless from '@xterm/headless';
import { execa } from 'execa';
import { waitUntil } from './activity.ts';
import { PROJECT } from './project.ts';

interface Dialogue extends AsyncDisposable {
  /** Waits until the screen shows the question, then presses the keys. */
  answer(question: string | RegExp, keys: string): Promise<void>;
  /** Everything that can be scrolled to. */
  seen(): string;
  /** Every byte. */
  readonly bytes: string;
  end(): Promise<number | undefined>;
}

export const ENTER = '\r';
export const DOWN = '\u001b[B';
export const TAB = '\t';
export const CTRL_C = '\u0003';

const COLUMNS = 80;
const ROWS = 24;

export function startDialogue(
  args: string,
  directory: string,
  env: Readonly<Record<string, string | undefined>> = {},
): Dialogue {
  const program = `'${process.execPath}' '${join(PROJECT, 'bin', 'increp.js')}'`;
  const command = `stty cols ${COLUMNS} rows ${ROWS}; exec ${program} ${args}`;
  const child = execa('script', ['-qec', command, '/dev/null'], {
    cwd: directory,
    env: {
      ...{ PATH: process.env['PATH'], HOME: directory, SHELL: '/bin/sh' },
      ...{ LANG: 'C.UTF-8', TERM: 'xterm-256color', ...env },
    },
    extendEnv: false,
    reject: false,
    timeout: 50_000,
  });
  const terminal = new headless.Terminal({
    cols: COLUMNS,
    rows: ROWS,
    allowProposedApi: true,
    scrollback: 1000,
  });
  let bytes = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    bytes += chunk;
    terminal.write(chunk);
  });
  const lines = (from: number) => {
    const { active } = terminal.buffer;
    return Array.from(
      { length: active.length - from },
      (_, y) => active.getLine(from + y)?.translateToString(true) ?? '',
    );
  };
  let hasEnded = false;
  const end = child.then(({ exitCode }) => {
    hasEnded = true;
    return exitCode;
  });
  return {
    answer: async (question, keys) => {
      // Only what is on the screen now, below the last answer, is a question.
      const isAsked = () => {
        const screen = lines(terminal.buffer.active.baseY);
        const asked = screen.slice(screen.findLastIndex((line) => /^[◆*▲!] {2}/.test(line)));
        const text = asked.join(' ').replaceAll(/ [│|] {2}| {2,}/g, ' ');
        return typeof question === 'string' ? text.includes(question) : question.test(text);
      };
      await waitUntil(`${String(question)} on the screen`, () => {
        if (hasEnded) throw new Error(`ended without ${String(question)}:\n${lines(0).join('\n')}`);
        return isAsked();
      }).catch((error: unknown) => {
        throw new Error(`${String(question)} is not asked:\n${lines(0).join('\n').trimEnd()}`, {
          cause: error,
        });
      });
      child.stdin.write(keys);
    },
    seen: () => lines(0).join('\n').trimEnd(),
    get bytes() {
      return bytes;
    },
    end: () => end,
    [Symbol.asyncDispose]: async () => {
      if (hasEnded) return;
      child.kill('SIGKILL');
      await end.catch(() => undefined);
    },
  };
}
