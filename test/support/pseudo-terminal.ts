/** Runs the real command in a real terminal: the pseudo terminal of script(1), watched by an emulator. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { waitUntil } from './activity.ts';
import { expectNoSecret, rememberSettings } from './canaries.ts';
import { emulator, type Emulator } from './emulator.ts';
import { PROGRAM, withProgram } from './named-program.ts';

export interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  /** Added to a nearly empty environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What a shell would write behind the command, such as `2>log`. */
  readonly redirections?: string;
}

export interface InTerminal extends AsyncDisposable {
  /** What has been written to the terminal so far. */
  readonly bytes: string;
  readonly hasEnded: boolean;
  readonly screen: Emulator;
  /** As from the keyboard. */
  type(keys: string): void;
  resize(columns: number, rows: number): Promise<void>;
  /** Until the last line of the screen is so. Returns it. */
  waitForLine(line: RegExp): Promise<string>;
  /** Its end, with the exit code. */
  wait(): Promise<number | undefined>;
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

export function inTerminal(
  args: string,
  { directory }: { readonly directory: string },
  { columns = 80, rows = 24, env = {}, redirections = '' }: TerminalOptions = {},
): InTerminal {
  const program = [process.execPath, PROGRAM].map(quoted).join(' ');
  const nameFile = join(directory, '.tty');
  const command = `stty cols ${columns} rows ${rows}; tty >${quoted(nameFile)}; exec ${program} ${args} ${redirections}`;
  const child = execa('script', ['-qec', command, '/dev/null'], {
    cwd: directory,
    env: {
      ...{ PATH: withProgram(process.env['PATH']), HOME: directory, SHELL: '/bin/sh' },
      ...{ LANG: 'C.UTF-8', TERM: 'xterm-256color', ...env },
    },
    extendEnv: false,
    reject: false,
    timeout: 50_000,
    stripFinalNewline: false,
  });
  rememberSettings(directory, env);
  const screen = emulator(columns, rows);
  let bytes = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    bytes += chunk;
    screen.write(chunk);
  });
  let hasEnded = false;
  const end = child.then(({ exitCode }) => {
    hasEnded = true;
    expectNoSecret(directory, { 'the terminal': bytes });
    return exitCode;
  });
  end.catch(() => undefined);
  return {
    get bytes() {
      return bytes;
    },
    get hasEnded() {
      return hasEnded;
    },
    screen,
    type: (keys) => void child.stdin.write(keys),
    resize: async (newColumns, newRows) => {
      const name = (await readFile(nameFile, 'utf8')).trim();
      screen.resize(newColumns, newRows);
      await execa('stty', ['-F', name, 'cols', String(newColumns), 'rows', String(newRows)]);
    },
    waitForLine: async (line) => {
      const last = () => screen.lines().at(-1) ?? '';
      await waitUntil(`${line} on the screen, which shows:\n${screen.lines().join('\n')}`, () => {
        if (hasEnded && !line.test(last()))
          throw new Error(`ended without ${line}:\n${screen.lines().join('\n')}`);
        return line.test(last());
      });
      return last();
    },
    wait: () => end,
    [Symbol.asyncDispose]: async () => {
      if (hasEnded) return;
      child.kill('SIGKILL');
      await end.catch(() => undefined);
    },
  };
}
